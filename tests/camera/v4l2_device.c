/* A camera for tests, preloaded in front of libc: the file that FAKE_V4L2 names answers as a V4L2 device with
 * memory-mapped buffers. It gives FAKE_V4L2_FRAMES pictures of 160x120, 25 a second, and then says nothing more, as
 * one whose cable is loose. They are the file FAKE_V4L2_JPEG, or else raw YUYV that grows brighter. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { WIDTH = 160, HEIGHT = 120, SIZE = WIDTH * HEIGHT * 2, BUFFERS = 4, INTERVAL_MS = 40 };

static int device = -1, nonblocking, given, queue[BUFFERS], queued;
static unsigned char *buffers[BUFFERS];
static long next_ms;

static long now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int failed(int code) {
    errno = code;
    return -1;
}

static void describe(struct v4l2_pix_format *pix) {
    int jpeg = getenv("FAKE_V4L2_JPEG") != NULL;
    *pix = (struct v4l2_pix_format){
        .width = WIDTH,
        .height = HEIGHT,
        .pixelformat = jpeg ? V4L2_PIX_FMT_MJPEG : V4L2_PIX_FMT_YUYV,
        .field = V4L2_FIELD_NONE,
        .bytesperline = jpeg ? 0 : WIDTH * 2,
        .sizeimage = SIZE,
    };
}

static size_t draw(unsigned char *to) {
    const char *jpeg = getenv("FAKE_V4L2_JPEG");
    if (jpeg) {
        FILE *file = fopen(jpeg, "rb");
        size_t size = fread(to, 1, SIZE, file);
        fclose(file);
        return size;
    }
    for (int n = 0; n < SIZE; n += 2) {
        to[n] = 16 + given;
        to[n + 1] = 128;
    }
    return SIZE;
}

static int dequeue(struct v4l2_buffer *buffer) {
    int silent = given >= atoi(getenv("FAKE_V4L2_FRAMES"));
    if (nonblocking && (silent || now_ms() < next_ms)) return failed(EAGAIN);
    while (silent) pause();
    while (now_ms() < next_ms) usleep(1000);
    buffer->index = queue[0];
    memmove(queue, queue + 1, --queued * sizeof *queue);
    buffer->bytesused = draw(buffers[buffer->index]);
    buffer->timestamp = (struct timeval){next_ms / 1000, next_ms % 1000 * 1000};
    buffer->flags = V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
    given++;
    next_ms += INTERVAL_MS;
    return 0;
}

static int answer(unsigned long request, void *argument) {
    struct v4l2_buffer *buffer = argument;
    struct v4l2_fmtdesc *form = argument;
    struct v4l2_pix_format pix;
    switch (request) {
    case VIDIOC_QUERYCAP:
        *(struct v4l2_capability *)argument =
            (struct v4l2_capability){.capabilities = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING};
        return 0;
    case VIDIOC_G_INPUT:
        *(int *)argument = 0;
        return 0;
    case VIDIOC_ENUMINPUT:
        return ((struct v4l2_input *)argument)->index ? failed(EINVAL) : 0;
    case VIDIOC_ENUM_FMT:
        describe(&pix);
        form->pixelformat = pix.pixelformat;
        return form->index ? failed(EINVAL) : 0;
    case VIDIOC_G_FMT:
    case VIDIOC_S_FMT:
        describe(&((struct v4l2_format *)argument)->fmt.pix);
        return 0;
    case VIDIOC_G_PARM:
    case VIDIOC_S_PARM:
        ((struct v4l2_streamparm *)argument)->parm.capture = (struct v4l2_captureparm){
            .capability = V4L2_CAP_TIMEPERFRAME, .timeperframe = {INTERVAL_MS, 1000}};
        return 0;
    case VIDIOC_REQBUFS:
        ((struct v4l2_requestbuffers *)argument)->count = BUFFERS;
        return 0;
    case VIDIOC_QUERYBUF:
        buffer->length = SIZE;
        buffer->m.offset = buffer->index * SIZE;
        return 0;
    case VIDIOC_QBUF:
        queue[queued++] = buffer->index;
        return 0;
    case VIDIOC_DQBUF:
        return dequeue(buffer);
    case VIDIOC_STREAMON:
        next_ms = now_ms() + INTERVAL_MS;
        return 0;
    case VIDIOC_STREAMOFF:
        queued = 0;
        return 0;
    }
    return failed(ENOTTY);
}

int open64(const char *path, int flags, ...) {
    int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, "open64");
    va_list rest;
    va_start(rest, flags);
    int fd = real(path, flags, va_arg(rest, int));
    va_end(rest);
    if (!strcmp(path, getenv("FAKE_V4L2"))) {
        device = fd;
        nonblocking = flags & O_NONBLOCK;
    }
    return fd;
}

int close(int fd) {
    int (*real)(int) = dlsym(RTLD_NEXT, "close");
    if (fd == device) device = -1;
    return real(fd);
}

int ioctl(int fd, unsigned long request, ...) {
    int (*real)(int, unsigned long, ...) = dlsym(RTLD_NEXT, "ioctl");
    va_list rest;
    va_start(rest, request);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    return fd >= 0 && fd == device ? answer(request & 0xffffffff, argument) : real(fd, request, argument);
}

void *mmap64(void *address, size_t size, int protection, int flags, int fd, off64_t offset) {
    void *(*real)(void *, size_t, int, int, int, off64_t) = dlsym(RTLD_NEXT, "mmap64");
    if (fd < 0 || fd != device) return real(address, size, protection, flags, fd, offset);
    return buffers[offset / SIZE] = real(NULL, SIZE, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* Where files are always large, libraries may call them by these names. */
int open(const char *, int, ...) __attribute__((alias("open64")));
void *mmap(void *, size_t, int, int, int, off_t) __attribute__((alias("mmap64")));
