// Reads a file in large pieces, one piece ahead of its consumer: /proc files are made while they are read, so that
// the kernel's work for the next piece and the consumer's for this one take place at the same time. A file that fits
// into the first piece costs no thread.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

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

class ReadAhead {
 public:
  explicit ReadAhead(const File& file) : file_(file) {}
  ~ReadAhead() {
    if (!thread_.joinable()) return;
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;

  // The next piece, valid until the next call; empty at the end of the file, or after an error.
  std::string_view next() {
    if (ended_) return {};
    if (begun_ && !thread_.joinable()) start_thread();
    if (thread_.joinable()) {
      swap_pieces();
    } else {
      fill(current_);  // the first piece, and every piece where no thread can be had
    }
    begun_ = true;
    ended_ = current_.last;
    error_ = current_.error;
    return {current_.bytes.data(), current_.length};
  }

  // The errno of the read(2) that ended the file; 0 when that was its true end.
  int error() const { return error_; }

 private:
  static constexpr size_t kSize = 256 * 1024;

  struct Piece {
    std::vector<char> bytes = std::vector<char>(kSize);
    size_t length = 0;
    int error = 0;
    bool last = false;
    bool full = false;
  };

  void fill(Piece& piece) const {
    piece.length = 0;
    while (!piece.last && piece.length < kSize) {
      const ssize_t got = file_.read(piece.bytes.data() + piece.length, kSize - piece.length);
      piece.last = got <= 0;
      if (got < 0) piece.error = errno;
      if (got > 0) piece.length += static_cast<size_t>(got);
    }
  }

  // The consumer gives back the piece that it has used for the one that was read meanwhile.
  void swap_pieces() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return ahead_.full; });
    std::swap(current_, ahead_);
    ahead_.full = false;
    changed_.notify_all();
  }

  void start_thread() {
    try {
      thread_ = std::thread([this] { read_ahead(); });
    } catch (const std::system_error&) {  // the limit of threads is reached: slower, not wrong
    }
  }

  void read_ahead() {
    std::unique_lock lock(mutex_);
    while (!stop_) {
      lock.unlock();
      fill(ahead_);  // nobody else touches it while it is not full
      lock.lock();
      ahead_.full = true;
      changed_.notify_all();
      if (ahead_.last) return;
      changed_.wait(lock, [this] { return stop_ || !ahead_.full; });
    }
  }

  const File& file_;
  Piece current_ = {};
  Piece ahead_ = {};
  bool begun_ = false;
  bool ended_ = false;
  int error_ = 0;

  std::mutex mutex_ = {};
  std::condition_variable changed_ = {};
  std::thread thread_ = {};
  bool stop_ = false;
};

}  // namespace memprobe::procfs
