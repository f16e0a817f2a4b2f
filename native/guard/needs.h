// What a row needs of the guard, as a type: `enter` before the call, on the JavaScript thread (false: the call is
// refused, and `refusal` says why; without a reason the guard has done what was asked for itself); `leave` right after it, on the thread that ran it, with the result and the errno
// (0: it succeeded). What leave returns other than 0 becomes the call's errno. A call that never runs is left too, as
// one that failed with kNeverRan: Visit.
// Arguments that the kernel itself rejects without touching anything (misaligned, empty) pass: its answer is better.
#pragma once

#include <sys/mman.h>

#include <cstdlib>
#include <memory>
#include <new>
#include <optional>

#include "../bind/js.h"
#include "advice.h"
#include "owned.h"

namespace memprobe::guard {

inline constexpr int kNeverRan = ECANCELED;  // which no call that is guarded fails with

// A need on its way through one call: whoever has entered leaves, once.
template <class Need, class Raw>
class Visit {
 public:
  Visit() = default;
  Visit(const Visit&) = delete;
  Visit& operator=(const Visit&) = delete;
  ~Visit() {
    if (entered_) [[unlikely]] abandon();
  }

  template <class... A>
  bool enter(napi_env env, const A&... argument) {
    return entered_ = need_.enter(env, argument...);
  }
  Failure refusal() const { return need_.refusal(); }
  int leave(const Raw& raw, int failed) {
    entered_ = false;
    return need_.leave(raw, failed);
  }

 private:
  [[gnu::cold, gnu::noinline]] void abandon() noexcept {
    try {
      need_.leave(Raw{}, kNeverRan);
    } catch (const std::bad_alloc&) {
      // What stays marked is refused from now on, and endangers nobody.
    }
  }

  Need need_;
  bool entered_ = false;
};

class Need {
 public:
  const Failure& refusal() const { return refusal_; }

 protected:
  bool refuse(Failure why) {
    refusal_ = std::move(why);
    return !refusal_;
  }
  static bool aligned(const void* address) { return reinterpret_cast<uintptr_t>(address) % page_size() == 0; }

  Failure refusal_;
};

struct Nothing {
  template <class... A>
  bool enter(napi_env, const A&...) {
    return true;
  }
  Failure refusal() const { return {}; }
  template <class R>
  int leave(const R&, int) {
    return 0;
  }
};

inline void* block_of(void* result) { return result; }
inline void* block_of(const Result<void*>& result) { return result.value; }

// --- blocks -------------------------------------------------------------------------------------------------------

struct Allocates {
  template <class... A>
  bool enter(napi_env, const A&...) {
    return true;
  }
  Failure refusal() const { return {}; }
  template <class R>
  int leave(const R& result, int failed) {
    void* block = block_of(result);
    if (failed != 0 || block == nullptr || blocks::add(block)) [[likely]] return 0;
    std::free(block);
    return ENOMEM;
  }
};

// Takes the block out of the books; a refusal explains itself only when asked. A block whose views are stale is retired.
bool release_block(napi_env env, void* block, Failure& why);

struct Frees {
  bool enter(napi_env env, void* block) {
    if (release(env, block)) [[likely]] return true;
    if (!*why_ && blocks::retired(block)) bury(block);
    return false;
  }
  Failure refusal() const { return *why_; }
  template <class R>
  int leave(const R&, int) {
    return 0;
  }

 protected:
  bool refuse(Failure why) {
    why_ = std::make_unique<Failure>(std::move(why));
    return false;
  }
  // False: refused, or (without a reason) retired.
  bool release(napi_env env, void* block) {
    if (block == nullptr || blocks::claim(block) == blocks::Claim::Taken) [[likely]] return true;
    why_ = std::make_unique<Failure>();
    return release_block(env, block, *why_) && !blocks::retired(block);
  }

 private:
  std::unique_ptr<Failure> why_;  // apart, so that the usual way has nothing to initialise
};

// The row copies a retired block, and leaves it where it is.
struct Reallocates : Frees {
  template <class... A>
  bool enter(napi_env env, void* block, const A&...) {
    old_ = block;
    // Once realloc has moved the block it is too late to find that it can't be recorded.
    if (!blocks::have_spare()) [[unlikely]] return refuse(fail(ENOMEM));
    return release(env, block) || !refusal();
  }
  int leave(const Result<void*>& result, int failed) {
    if (failed != 0) return blocks::reinstate(old_), 0;
    void* block = result.value;
    if (old_ != nullptr && block != old_ && blocks::retired(old_)) bury(old_);
    if (block != nullptr) blocks::add(block);
    return 0;
  }

 private:
  void* old_ = nullptr;
};

// A live block, and it stays so during the call.
class KnowsBlock : public Need {
 public:
  bool enter(napi_env, void* block);
  template <class R>
  int leave(const R&, int) {
    return 0;
  }

 private:
  Lock lock_;
};

// --- ranges -------------------------------------------------------------------------------------------------------

class Maps : public Need {
 public:
  bool enter(napi_env env, void* addr, size_t length, int prot, int flags, int fd, long offset);
  int leave(void* result, int failed);

 private:
  Transit replaced_;
  Range made_;  // its end is its length until the call has told its start
};

class Unmaps : public Need {
 public:
  bool enter(napi_env env, void* addr, size_t length);
  int leave(int, int failed);

 private:
  Transit transit_;
};

class MEMPROBE_SHARED Remaps : public Need {
 public:
  bool enter(napi_env env, void* old, size_t old_size, size_t new_size, int flags, std::optional<void*> new_addr);
  int leave(void* result, int failed);

 private:
  Transit source_;
  Transit target_;
  size_t new_size_ = 0;
  size_t unit_ = 0;
  bool keeps_source_ = false;

 protected:
  uint64_t share_ = 0;  // whose memory may be moved: shares.h
  NumaBlock numa_;      // what it is afterwards
};

class Protects : public Need {
 public:
  bool enter(napi_env env, void* addr, size_t length, int prot);
  int leave(int, int failed);

 private:
  void settle(int failed);

  std::vector<Range> parts_;
  Pin pin_;
  int prot_ = 0;
};

class Seals : public Need {
 public:
  bool enter(napi_env env, void* addr, size_t length, unsigned long flags);
  template <class R>
  int leave(const R&, int) {
    pin_.release();
    return 0;
  }

 private:
  Pin pin_;
};

class Advises : public Need {
 public:
  bool enter(napi_env env, void* addr, size_t length, int advice);
  bool enter(napi_env env, int pidfd, const js::Ranges& ranges, int advice, unsigned flags);
  template <class R>
  int leave(const R&, int failed) {
    settle(failed);
    pin_.release();
    return 0;
  }

 private:
  bool admit(napi_env env, const blocks::Extent& range);
  void prepare(napi_env env, const blocks::Extent& range);
  void settle(int failed);

  std::vector<Range> parts_;
  Pin pin_;
  int advice_ = 0;
};

// brk and sbrk. The lock is kept during the call: of our own threads only one at a time moves the break.
class MovesBreak : public Need {
 public:
  bool enter(napi_env env, void* to);
  bool enter(napi_env env, long increment);
  template <class R>
  int leave(const R&, int failed) {
    settle(failed);
    return 0;
  }

 private:
  bool move(napi_env env, uintptr_t to);
  void settle(int failed);

  Lock lock_;
  uintptr_t from_ = 0;
  uintptr_t to_ = 0;
};

// mlock and mlock2: not V8's pages, which it gives back by itself and aborts when it can't.
class Locks : public Need {
 public:
  bool enter(napi_env env, void* addr, size_t length);
  bool enter(napi_env env, void* addr, size_t length, unsigned) { return enter(env, addr, length); }
  template <class R>
  int leave(const R&, int) {
    return 0;
  }
};

// mlockall: V8's pages are among all of them.
class LocksAll : public Need {
 public:
  bool enter(napi_env env, int flags);
  template <class R>
  int leave(const R&, int) {
    return 0;
  }
};

// Stores into memory: ours only, and pinned meanwhile.
class Writes : public Need {
 public:
  bool enter(napi_env env, void* addr, const js::Bytes& bytes);
  template <class R>
  int leave(const R&, int) {
    pin_.release();
    return 0;
  }

 private:
  Pin pin_;
};

}  // namespace memprobe::guard
