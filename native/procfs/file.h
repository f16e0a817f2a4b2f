// An open file of /proc.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>

namespace memprobe::procfs {

class File {
 public:
  explicit File(const char* name) : fd_(::open(name, O_RDONLY | O_CLOEXEC)) {}
  ~File() {
    if (is_open()) ::close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  bool is_open() const { return fd_ >= 0; }
  int fd() const { return fd_; }

  ssize_t read(char* into, size_t room) const {
    ssize_t got = 0;
    do got = ::read(fd_, into, room);
    while (got < 0 && errno == EINTR);
    return got;
  }

  // True when the file's beginning has gone: so it is when the address space behind it no longer exists.
  bool vanished() const {
    char byte = 0;
    return ::pread(fd_, &byte, 1, 0) == 0;
  }

 private:
  int fd_;
};

}  // namespace memprobe::procfs
