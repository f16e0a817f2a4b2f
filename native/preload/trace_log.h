// Starting mtrace(3) on a log that is certainly ours; shared by the addon and the preloaded mtrace.c, so it
// is C.
#pragma once

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// Opens the log, made 0600: never through a symlink, never what is no regular file or has another name or
// owner. -1 and errno otherwise.
static inline int memprobe_open_log(const char* path) {
  struct stat file;
  const int fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
  if (fd == -1) return -1;
  int error = 0;
  if (fstat(fd, &file) != 0)
    error = errno;
  else if (!S_ISREG(file.st_mode) || file.st_nlink != 1)
    error = EINVAL;
  else if (file.st_uid != geteuid())
    error = EPERM;
  else if (fchmod(fd, 0600) != 0)
    error = errno;
  if (error == 0) return fd;
  close(fd);
  errno = error;
  return -1;
}

// The descriptor of mtrace's own stream, which has written its first line to this file; -1 where it has not:
// mtrace says nothing when it fails, or when it is tracing already.
static inline int memprobe_stream_to(int log) {
  struct stat file, other;
  fflush(NULL);
  if (fstat(log, &file) != 0 || file.st_size == 0) return -1;
  for (int fd = 0, last = getdtablesize(); fd < last; fd++) {
    if (fd == log || fstat(fd, &other) != 0) continue;
    if (other.st_dev != file.st_dev || other.st_ino != file.st_ino) continue;
    if ((fcntl(fd, F_GETFL) & O_ACCMODE) == O_WRONLY && lseek(fd, 0, SEEK_CUR) > 0) return fd;
  }
  return -1;
}

// setenv and unsetenv of the C library itself: bash has others, which don't change what mtrace looks at. NULL unsets.
static inline int memprobe_set_variable(const char* name, const char* value) {
  void* libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
  if (libc == NULL) return errno = ENOSYS, -1;
  int (*set)(const char*, const char*, int) = (int (*)(const char*, const char*, int))dlsym(libc, "setenv");
  int (*unset)(const char*) = (int (*)(const char*))dlsym(libc, "unsetenv");
  dlclose(libc);
  return value != NULL ? set(name, value, 1) : unset(name);
}

// Has mtrace open the very file that was checked, which its name may no longer be. MALLOC_TRACE is set for
// the call only: a program that this one starts would write over the log. 0, or an errno; EAGAIN where mtrace
// did nothing.
static inline int memprobe_start_trace(void (*mtrace)(void), const char* path, int* stream) {
  char name[32];
  const int fd = memprobe_open_log(path);
  if (fd == -1) return errno;
  const char* set = getenv("MALLOC_TRACE");
  char* before = set != NULL ? strdup(set) : NULL;
  snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
  int error =
      access(name, W_OK) != 0 || ftruncate(fd, 0) != 0 || memprobe_set_variable("MALLOC_TRACE", name) != 0 ? errno : 0;
  if (error == 0) {
    mtrace();
    *stream = memprobe_stream_to(fd);
    if (*stream == -1) error = EAGAIN;
  }
  memprobe_set_variable("MALLOC_TRACE", before);
  free(before);
  close(fd);
  return error;
}
