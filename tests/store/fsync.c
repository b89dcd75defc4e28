/* A disk that is slow, or fails: what the file named by SMARTCAM_TEST_FSYNC says, at each fsync.
   A number is seconds to wait; "EIO" fails. LD_PRELOAD it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int disturbed(void) {
    const char *name = getenv("SMARTCAM_TEST_FSYNC");
    char said[32] = "";
    FILE *file = name ? fopen(name, "r") : NULL;
    if (!file) return 0;
    if (!fgets(said, sizeof said, file)) said[0] = 0;
    fclose(file);
    if (!strncmp(said, "EIO", 3)) {
        errno = EIO;
        return 1;
    }
    usleep((useconds_t)(atof(said) * 1e6));
    return 0;
}

int fsync(int fd) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    return disturbed() ? -1 : real(fd);
}

int fdatasync(int fd) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    return disturbed() ? -1 : real(fd);
}
