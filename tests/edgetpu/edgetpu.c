/* An Edge TPU that is not there: a TensorFlow Lite external delegate that is loaded exactly as libedgetpu.so.1 is.
 *
 * It claims the custom op of models that are compiled for the chip, finds its devices in a tree that looks like
 * sysfs (environment variable SMARTCAM_SYSFS; sysfs.py makes such trees), and hands each inference to another
 * process, which runs the model's twin for the CPU (twins.py tells what is said). In another process, because
 * allocate_tensors() holds Python's lock: an interpreter in this one could never answer.
 *
 * The tree is the only truth: a device whose folder goes away is unplugged. What the kernel does to the tree when a
 * device is opened and closed, it does on our word (kernel.py). What people make a device do, they write into the
 * folder "emulated" of that device:
 *
 *   open, prepare, invoke   what goes wrong at that point: "error", "abort", "segfault", "hang" or "slow SECONDS";
 *                           in "invoke" after the number of the invoke, since opening, at which it begins: "abort 3".
 *                           A last word "once" makes it happen a single time.
 *   latency_ms              how long an invoke takes at least
 *   switch_ms               how much longer it takes when another model was invoked before: its parameters come again
 *   canned                  nobody is asked: the outputs are the bytes in this file, or zeros where their size differs
 *   owner                   written by the kernel: the process that has the device open, and its how-many-th opening
 *   counts                  written here: "invokes N switches N" since it was opened
 *
 * The structures are those of tensorflow/lite/core/c/common.h, as far as they are used here; that header promises to
 * add only at their ends. How devices are chosen, shared and lost follows libedgetpu's own sources.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

/* The interpreter's side. */

enum { OK = 0, ERROR = 1 };
enum { CONSTANT = 1 /* kTfLiteMmapRo */, ALLOW_DYNAMIC_TENSORS = 1 };
static const char CUSTOM_OP[] = "edgetpu-custom-op";

typedef struct { int size; int data[]; } IntArray;

typedef struct {
    int type;
    void *data;
    IntArray *dims;
    struct { float scale; int32_t zero_point; } params;
    int allocation_type;
    size_t bytes;
    const void *allocation;
    const char *name;
    char rest[48];
} Tensor;

typedef struct {
    IntArray *inputs, *outputs, *intermediates, *temporaries;
    void *user_data, *builtin_data;
    const void *custom_data;
    int custom_data_size;
} Node;

typedef struct Context Context;
typedef struct Delegate Delegate;

typedef struct {
    void *(*init)(Context *, const char *, size_t);
    void (*free)(Context *, void *);
    int (*prepare)(Context *, Node *);
    int (*invoke)(Context *, Node *);
    const char *(*profiling_string)(const Context *, const Node *);
    int32_t builtin_code;
    const char *custom_name;
    int version;
    /* It is passed by value, and newer interpreters read more of it than older ones: what they find must be zero. */
    void *rest[24];
} Registration;

struct Context {
    size_t tensors_size;
    int (*execution_plan)(Context *, IntArray **);
    Tensor *tensors;
    void *impl;
    int (*resize_tensor)(Context *, Tensor *, IntArray *);
    void (*report_error)(Context *, const char *, ...);
    int (*add_tensors)(Context *, int, int *);
    int (*node_and_registration)(Context *, int, Node **, Registration **);
    int (*replace_nodes)(Context *, Registration, const IntArray *, Delegate *);
};

typedef struct { Delegate *delegate; IntArray *nodes_to_replace; } DelegateParams;

typedef struct Device Device;

struct Delegate {
    Device *device; /* the field for the delegate's own data */
    int (*prepare)(Context *, Delegate *);
    void *copy_from_buffer, *copy_to_buffer, *free_buffer;
    int64_t flags;
    void *opaque_builder;
};

_Static_assert(sizeof(Tensor) == 112 && offsetof(Tensor, dims) == 16 && offsetof(Tensor, bytes) == 40, "TfLiteTensor");
_Static_assert(offsetof(Node, user_data) == 32 && offsetof(Node, custom_data) == 48, "TfLiteNode");
_Static_assert(offsetof(Context, report_error) == 40 && offsetof(Context, replace_nodes) == 64, "TfLiteContext");
_Static_assert(offsetof(Registration, rest) == 64, "TfLiteRegistration");
_Static_assert(offsetof(Delegate, flags) == 40 && offsetof(Delegate, opaque_builder) == 48, "TfLiteDelegate");

/* The files. */

enum { LONGEST_PATH = 1024, LONGEST_WORDS = 160, LONGEST_NAME = 64, MOST_DEVICES = 64, LOOK_EVERY_MS = 20 };

static const char *sysfs(void) {
    const char *root = getenv("SMARTCAM_SYSFS");
    return root && *root ? root : "/sys";
}

static void path_in(char *path, const char *folder, const char *name) {
    snprintf(path, LONGEST_PATH, "%s/%s", folder, name);
}

static int exists(const char *folder, const char *name) {
    char path[LONGEST_PATH];
    path_in(path, folder, name);
    return access(path, F_OK) == 0;
}

/* A file's content without the newline at its end; empty, and false, when there is none. */
static int read_words(const char *folder, const char *name, char *words) {
    char path[LONGEST_PATH];
    path_in(path, folder, name);
    words[0] = 0;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    ssize_t size = read(file, words, LONGEST_WORDS - 1);
    close(file);
    words[size > 0 ? size : 0] = 0;
    words[strcspn(words, "\n")] = 0;
    return 1;
}

static void write_words(const char *folder, const char *name, const char *format, ...) {
    char path[LONGEST_PATH];
    path_in(path, folder, name);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file < 0) return;
    va_list values;
    va_start(values, format);
    vdprintf(file, format, values);
    va_end(values);
    close(file);
}

static double number_in(const char *folder, const char *name) {
    char words[LONGEST_WORDS];
    return read_words(folder, name, words) ? atof(words) : 0;
}

/* Time. */

static struct timespec now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at;
}

static struct timespec after(struct timespec at, double seconds) {
    int64_t nanoseconds = at.tv_nsec + (int64_t)(seconds * 1e9);
    at.tv_sec += nanoseconds / 1000000000;
    at.tv_nsec = nanoseconds % 1000000000;
    return at;
}

static void sleep_until(struct timespec at) {
    prctl(PR_SET_TIMERSLACK, 1000UL); /* of the usual 50 microseconds a benchmark would see each one */
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR) {}
}

static void hang(void) {
    for (;;) pause();
}

/* The sockets on which the kernel and the twins answer. */

static int connect_to(const char *name, int type) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char folder[LONGEST_PATH];
    path_in(folder, sysfs(), "emulated");
    /* By way of the folder's descriptor, since an address is no longer than 107 bytes. */
    int handle = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (handle < 0) return -1;
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", handle, name);
    int connection = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    if (connect(connection, (struct sockaddr *)&address, sizeof address)) {
        close(connection);
        connection = -1;
    }
    close(handle);
    return connection;
}

/* The devices. */

struct Device {
    char folder[LONGEST_PATH];
    int is_usb;
    int references; /* delegates of this process: they share it, as with the real library */
    int opening;    /* which of this process's openings it is; together with the process id it names the owner */
    int kernel;     /* the connection that keeps it open */
    int closed;
    unsigned invokes, switches;
    const void *last_program;
    pthread_mutex_t busy; /* one inference at a time */
    pthread_t watcher;
    Device *next;
};

static Device *opened_devices;
static pthread_mutex_t devices_lock = PTHREAD_MUTEX_INITIALIZER;

/* What the device was told to do wrong at this point. Returns ERROR where that is all of it. */
static int misbehave(const Device *device, const char *point, unsigned count) {
    char words[LONGEST_WORDS], name[32], kind[16] = "", first[16] = "", last[16] = "";
    snprintf(name, sizeof name, "emulated/%s", point);
    if (!read_words(device->folder, name, words)) return OK;
    int parts = sscanf(words, "%15s %15s %15s", kind, first, last);
    int is_slow = !strcmp(kind, "slow");
    if (!is_slow && parts > 1 && count && count < (unsigned)atoi(first)) return OK;
    if (!strcmp(last, "once") || !strcmp(first, "once")) {
        char path[LONGEST_PATH];
        path_in(path, device->folder, name);
        unlink(path);
    }
    if (is_slow) sleep_until(after(now(), atof(first)));
    if (!strcmp(kind, "abort")) abort();
    if (!strcmp(kind, "segfault")) raise(SIGSEGV);
    if (!strcmp(kind, "hang")) hang();
    return strcmp(kind, "error") ? OK : ERROR;
}

static int is_ours(const Device *device) {
    char owner[LONGEST_WORDS];
    int process, opening;
    return read_words(device->folder, "emulated/owner", owner) && sscanf(owner, "%d %d", &process, &opening) == 2 &&
           process == getpid() && opening == device->opening;
}

/* A stick that was unplugged, or that another process has opened, takes the whole process with it. */
static void die_of_usb(void) {
    static const char words[] =
        "F driver/usb/usb_driver.cc:1148] HandleQueuedBulkIn transfer in failed. "
        "Not found: USB transfer error 5 [LibUsbDataInCallback]\n";
    if (write(STDERR_FILENO, words, sizeof words - 1) < 0) {}
    abort();
}

static void *watch_usb(void *argument) {
    Device *device = argument;
    while (!__atomic_load_n(&device->closed, __ATOMIC_ACQUIRE)) {
        if (!is_ours(device) && !__atomic_load_n(&device->closed, __ATOMIC_ACQUIRE)) die_of_usb();
        sleep_until(after(now(), LOOK_EVERY_MS / 1e3));
    }
    return NULL;
}

/* Gone as the interpreter sees it: a stick aborts, a card never answers again. */
static void notice_loss(const Device *device) {
    if (device->is_usb && !is_ours(device)) die_of_usb();
    if (!device->is_usb && access(device->folder, F_OK)) hang();
}

/* Ask the kernel for the device, which is ours until the connection ends. */
static int open_at_kernel(Device *device) {
    char answer[8] = "", asked[LONGEST_PATH + 32];
    device->kernel = connect_to("kernel", SOCK_SEQPACKET);
    if (device->kernel < 0) return ERROR;
    int size = snprintf(asked, sizeof asked, "%s %d %d", device->folder, getpid(), device->opening);
    if (send(device->kernel, asked, (size_t)size, MSG_NOSIGNAL) == size && recv(device->kernel, answer, 4, 0) == 4 &&
        !strcmp(answer, "open"))
        return OK;
    close(device->kernel);
    return ERROR;
}

/* It has closed the device when it hangs up, too. */
static void close_at_kernel(Device *device) {
    char nothing;
    shutdown(device->kernel, SHUT_WR);
    while (recv(device->kernel, &nothing, 1, 0) > 0) {}
    close(device->kernel);
}

static Device *open_device(const char *folder, int is_usb) {
    static int openings;
    Device *device = calloc(1, sizeof *device);
    snprintf(device->folder, sizeof device->folder, "%s", folder);
    device->is_usb = is_usb;
    device->opening = ++openings;
    device->references = 1;
    pthread_mutex_init(&device->busy, NULL);
    if (open_at_kernel(device)) {
        free(device);
        return NULL;
    }
    if (misbehave(device, "open", 0)) {
        close_at_kernel(device);
        free(device);
        return NULL;
    }
    if (is_usb) pthread_create(&device->watcher, NULL, watch_usb, device);
    device->next = opened_devices;
    opened_devices = device;
    return device;
}

static void close_device(Device *device) {
    __atomic_store_n(&device->closed, 1, __ATOMIC_RELEASE);
    if (device->is_usb) pthread_join(device->watcher, NULL);
    close_at_kernel(device);
    Device **link = &opened_devices;
    while (*link != device) link = &(*link)->next;
    *link = device->next;
    free(device);
}

static Device *already_opened(const char *folder, int is_usb) {
    for (Device *device = opened_devices; device; device = device->next)
        if (device->is_usb == is_usb && (!folder || !strcmp(folder, device->folder))) return device;
    return NULL;
}

static Device *share(Device *device) {
    device->references++;
    return device;
}

typedef struct { char name[LONGEST_NAME]; int was_opened; } Entry;

/* As libedgetpu lists sticks: first those without firmware, then the others; each as libusb does, the last path first. */
static int compare_sticks(const void *left, const void *right) {
    const Entry *a = left, *b = right;
    return a->was_opened != b->was_opened ? a->was_opened - b->was_opened : strcmp(b->name, a->name);
}

static int is_stick(const char *folder, int *was_opened) {
    char vendor[LONGEST_WORDS], product[LONGEST_WORDS];
    read_words(folder, "idVendor", vendor);
    read_words(folder, "idProduct", product);
    *was_opened = !strcmp(vendor, "18d1") && !strcmp(product, "9302");
    return *was_opened || (!strcmp(vendor, "1a6e") && !strcmp(product, "089a"));
}

/* The devices of this kind; cards in the order in which the kernel lists them, which is none. */
static int list_devices(int is_usb, const char *place, Entry *entries) {
    char folder[LONGEST_PATH];
    struct dirent *found;
    int count = 0;
    DIR *listing = opendir(place);
    while (listing && (found = readdir(listing)) && count < MOST_DEVICES) {
        Entry *entry = &entries[count];
        entry->was_opened = 0;
        snprintf(entry->name, sizeof entry->name, "%s", found->d_name);
        path_in(folder, place, entry->name);
        count += is_usb ? is_stick(folder, &entry->was_opened) : !strncmp(entry->name, "apex_", 5);
    }
    if (listing) closedir(listing);
    if (is_usb) qsort(entries, (size_t)count, sizeof *entries, compare_sticks);
    return count;
}

/* The folder of the n-th device of this kind, and how many were passed over before it. */
static int find_device(int is_usb, int index, char *folder) {
    char place[LONGEST_PATH];
    Entry entries[MOST_DEVICES];
    path_in(place, sysfs(), is_usb ? "bus/usb/devices" : "class/apex");
    int count = list_devices(is_usb, place, entries);
    folder[0] = 0;
    if (index < count) path_in(folder, place, entries[index].name);
    return index < count ? index : count;
}

/* "", ":N", "usb", "usb:N", "pci" or "pci:N" into the kinds of device that will do, and the index or -1. */
static int understand(const char *which, int *usb, int *pci, int *index) {
    *usb = strncmp(which, "pci", 3) != 0;
    *pci = strncmp(which, "usb", 3) != 0;
    if (!*usb || !*pci) which += 3;
    *index = -1;
    if (!*which) return OK;
    if (*which++ != ':' || !*which || strspn(which, "0123456789") != strlen(which)) return ERROR;
    *index = atoi(which);
    return OK;
}

static Device *find_and_open(const char *which) {
    int kinds[2], index; /* cards first: the real library prefers them */
    char folder[LONGEST_PATH];
    if (understand(which, &kinds[1], &kinds[0], &index)) return NULL;
    for (int is_usb = 0; is_usb < 2 && index < 0; is_usb++) {
        Device *device = kinds[is_usb] ? already_opened(NULL, is_usb) : NULL;
        if (device) return share(device);
    }
    int wanted = index < 0 ? 0 : index;
    for (int is_usb = 0; is_usb < 2; is_usb++) {
        if (!kinds[is_usb]) continue;
        int passed = find_device(is_usb, wanted, folder);
        if (folder[0]) {
            Device *device = already_opened(folder, is_usb);
            return device ? share(device) : open_device(folder, is_usb);
        }
        wanted -= passed;
    }
    return NULL;
}

/* The process that runs the twins. Numbers are in this machine's order of bytes: it never leaves the machine. */

typedef struct {
    Device *device;
    const char *program; /* what the compiled model holds for the chip */
    uint64_t program_bytes;
    int connection;
} Kernel;

static int send_all(int connection, const void *data, size_t size) {
    for (const char *at = data; size;) {
        ssize_t sent = send(connection, at, size, MSG_NOSIGNAL);
        if (sent <= 0) return ERROR;
        at += sent;
        size -= (size_t)sent;
    }
    return OK;
}

static int receive_all(int connection, void *data, size_t size) {
    for (char *at = data; size;) {
        ssize_t received = recv(connection, at, size, 0);
        if (received <= 0) return ERROR;
        at += received;
        size -= (size_t)received;
    }
    return OK;
}

static int fail(Context *context, Kernel *kernel, const char *reason) {
    context->report_error(context, "emulated Edge TPU: %s", reason);
    if (kernel->connection >= 0) close(kernel->connection);
    kernel->connection = -1;
    return ERROR;
}

/* Each answer begins with the length of a complaint, mostly 0. */
static int receive_verdict(Context *context, Kernel *kernel) {
    uint32_t size;
    char complaint[512] = "";
    if (receive_all(kernel->connection, &size, sizeof size)) return fail(context, kernel, "the twin server hung up");
    if (size == 0) return OK;
    if (size >= sizeof complaint || receive_all(kernel->connection, complaint, size)) complaint[0] = 0;
    return fail(context, kernel, complaint);
}

typedef int (*Transfer)(int, void *, size_t);

static int is_picture(const Tensor *tensor) {
    return tensor->allocation_type != CONSTANT;
}

static uint64_t bytes_of(Context *context, const IntArray *which) {
    uint64_t total = 0;
    for (int i = 0; i < which->size; i++)
        if (is_picture(&context->tensors[which->data[i]])) total += context->tensors[which->data[i]].bytes;
    return total;
}

static int transfer(Context *context, int connection, const IntArray *which, Transfer move) {
    for (int i = 0; i < which->size; i++) {
        Tensor *tensor = &context->tensors[which->data[i]];
        if (is_picture(tensor) && move(connection, tensor->data, tensor->bytes)) return ERROR;
    }
    return OK;
}

static int send_tensor(int connection, void *data, size_t size) {
    return send_all(connection, data, size);
}

/* Load the program: the twin is found there, and has to have inputs and outputs of the same sizes. */
static int load_program(Context *context, Node *node, Kernel *kernel) {
    if (kernel->connection >= 0) return OK;
    kernel->connection = connect_to("twins", SOCK_STREAM);
    if (kernel->connection < 0) return fail(context, kernel, "no twin server answers in SMARTCAM_SYSFS/emulated");
    uint64_t sizes[] = {kernel->program_bytes, bytes_of(context, node->inputs), bytes_of(context, node->outputs)};
    if (send_all(kernel->connection, sizes, sizeof sizes) ||
        send_all(kernel->connection, kernel->program, kernel->program_bytes))
        return fail(context, kernel, "the twin server hung up");
    return receive_verdict(context, kernel);
}

static int ask_twin(Context *context, Node *node, Kernel *kernel) {
    if (load_program(context, node, kernel)) return ERROR;
    if (transfer(context, kernel->connection, node->inputs, send_tensor))
        return fail(context, kernel, "the twin server hung up");
    if (receive_verdict(context, kernel)) return ERROR;
    if (transfer(context, kernel->connection, node->outputs, receive_all))
        return fail(context, kernel, "the twin server hung up");
    return OK;
}

static int read_all(int file, void *data, size_t size) {
    return read(file, data, size) == (ssize_t)size ? OK : ERROR;
}

static int answer_canned(Context *context, Node *node, Kernel *kernel) {
    char path[LONGEST_PATH];
    struct stat about;
    path_in(path, kernel->device->folder, "emulated/canned");
    int file = open(path, O_RDONLY | O_CLOEXEC);
    int fits = fstat(file, &about) == 0 && (uint64_t)about.st_size == bytes_of(context, node->outputs);
    if (!fits || transfer(context, file, node->outputs, read_all))
        for (int i = 0; i < node->outputs->size; i++) {
            Tensor *tensor = &context->tensors[node->outputs->data[i]];
            memset(tensor->data, 0, tensor->bytes);
        }
    close(file);
    return OK;
}

/* The kernel: one for each custom op. */

static void *kernel_init(Context *context, const char *buffer, size_t length) {
    (void)length;
    const DelegateParams *params = (const DelegateParams *)buffer;
    Node *node;
    Registration *registration;
    if (context->node_and_registration(context, params->nodes_to_replace->data[0], &node, &registration)) abort();
    Kernel *kernel = calloc(1, sizeof *kernel);
    kernel->device = params->delegate->device;
    kernel->program = node->custom_data;
    kernel->program_bytes = (uint64_t)node->custom_data_size;
    kernel->connection = -1;
    return kernel;
}

static void kernel_free(Context *context, void *buffer) {
    (void)context;
    Kernel *kernel = buffer;
    if (kernel->connection >= 0) close(kernel->connection);
    free(kernel);
}

static int kernel_prepare(Context *context, Node *node) {
    Kernel *kernel = node->user_data;
    if (misbehave(kernel->device, "prepare", 0)) return fail(context, kernel, "told to fail at prepare");
    return exists(kernel->device->folder, "emulated/canned") ? OK : load_program(context, node, kernel);
}

/* Another program than the one before: its parameters have to be sent to the chip again. */
static double switch_seconds(Kernel *kernel) {
    Device *device = kernel->device;
    const void *last = device->last_program;
    device->last_program = kernel->program;
    if (!last || last == kernel->program) return 0;
    device->switches++;
    return number_in(device->folder, "emulated/switch_ms") / 1e3;
}

static int run(Context *context, Node *node, Kernel *kernel) {
    Device *device = kernel->device;
    struct timespec begin = now();
    notice_loss(device);
    device->invokes++;
    double seconds = number_in(device->folder, "emulated/latency_ms") / 1e3 + switch_seconds(kernel);
    if (misbehave(device, "invoke", device->invokes)) return fail(context, kernel, "told to fail at invoke");
    int canned = exists(device->folder, "emulated/canned");
    if (canned ? answer_canned(context, node, kernel) : ask_twin(context, node, kernel)) return ERROR;
    write_words(device->folder, "emulated/counts", "invokes %u switches %u\n", device->invokes, device->switches);
    if (seconds > 0) sleep_until(after(begin, seconds));
    notice_loss(device);
    return OK;
}

static int kernel_invoke(Context *context, Node *node) {
    Kernel *kernel = node->user_data;
    pthread_mutex_lock(&kernel->device->busy);
    int status = run(context, node, kernel);
    pthread_mutex_unlock(&kernel->device->busy);
    return status;
}

/* The delegate. */

static int is_claimed(Context *context, int index) {
    Node *node;
    Registration *registration;
    return context->node_and_registration(context, index, &node, &registration) == OK && registration->custom_name &&
           !strcmp(registration->custom_name, CUSTOM_OP);
}

static int delegate_prepare(Context *context, Delegate *delegate) {
    IntArray *plan;
    if (context->execution_plan(context, &plan)) return ERROR;
    /* A copy, because replacing nodes changes the plan. */
    int count = plan->size, nodes[count ? count : 1];
    memcpy(nodes, plan->data, sizeof *nodes * (size_t)count);
    Registration registration = {
        .init = kernel_init,
        .free = kernel_free,
        .prepare = kernel_prepare,
        .invoke = kernel_invoke,
        .custom_name = "EdgeTpuDelegateForCustomOp",
        .version = 1,
    };
    for (int i = 0; i < count; i++) {
        if (!is_claimed(context, nodes[i])) continue;
        struct { int size, node; } one = {1, nodes[i]};
        if (context->replace_nodes(context, registration, (const IntArray *)&one, delegate)) return ERROR;
    }
    return OK;
}

/* Like the real one it never says why there is no delegate: `report` is not used. */
EXPORT Delegate *tflite_plugin_create_delegate(char **keys, char **values, size_t count, void (*report)(const char *)) {
    (void)report;
    const char *which = "";
    for (size_t i = 0; i < count; i++)
        if (!strcmp(keys[i], "device")) which = values[i];
    pthread_mutex_lock(&devices_lock);
    Device *device = find_and_open(which);
    pthread_mutex_unlock(&devices_lock);
    if (!device) return NULL;
    Delegate *delegate = calloc(1, sizeof *delegate);
    delegate->device = device;
    delegate->prepare = delegate_prepare;
    delegate->flags = ALLOW_DYNAMIC_TENSORS;
    return delegate;
}

/* Called with NULL where there was none. */
EXPORT void tflite_plugin_destroy_delegate(Delegate *delegate) {
    if (!delegate) return;
    pthread_mutex_lock(&devices_lock);
    if (--delegate->device->references == 0) close_device(delegate->device);
    pthread_mutex_unlock(&devices_lock);
    free(delegate);
}

/* What the real symbol of this name says, or what the file "version" beside the twins' socket says. */
EXPORT const char *edgetpu_version(void) {
    static char words[LONGEST_WORDS];
    if (!read_words(sysfs(), "emulated/version", words))
        return "BuildLabel(COMPILER=" __VERSION__ ",DATE=redacted,TIME=redacted), RuntimeVersion(14)";
    return words;
}
