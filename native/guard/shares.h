// Memory that belongs to Mappings, and how many of them hold it, in whichever thread: it goes when the last one lets go.
#pragma once

#include <node_api.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "../bind/failure.h"
#include "needs.h"

namespace memprobe::guard::shares {

struct Share {
  uint64_t tag = 0;  // Range::share of its ranges
  uintptr_t start = 0;
  size_t length = 0;
  size_t unit = 0;
  int fd = -1;            // goes with the memory
  std::string about = {};  // what the Mapping that made it says of it, for those that attach
  int holders = 0;         // none left: it waits for views that were moved away, or for calls in progress
  bool moving = false;

  uintptr_t end() const { return start + round_up(length, unit); }
};

// One Mapping's hold. The id can't be guessed: 128 random bits.
struct Holder {
  std::string id;
  bool holds = true;
};
using Held = std::shared_ptr<Holder>;

// Owned, mapped memory becomes a share with one holder; only that may end or move it from then on.
Result<Held> create(void* addr, size_t length, int fd, const std::string& about);
Result<Held> attach(const std::string& id);
// A copy of the books' entry; a failure when the holder has let go.
Result<Share> state(const Held& held);
bool faulted(const Held& held);
// Detaches this environment's views of it. Never fails, as finalizers call it: it allocates nothing, and memory that
// can't go now goes as soon as it can.
void let_go(napi_env env, const Held& held) noexcept;
// Something that memory may have waited for has ended.
void retry() noexcept;

// The shares and their holders, for the self-check.
struct Counts {
  size_t shares = 0;
  size_t orphans = 0;
};
Counts counts();

// mremap of the whole share, by its only holder.
class Resizes : public Remaps {
 public:
  bool enter(napi_env env, const Held& held, size_t length);
  int leave(const Result<void*>& result, int failed);

 private:
  Held held_;
  size_t length_ = 0;
};

class LetsGo : public Nothing {
 public:
  bool enter(napi_env env, const Held& held) {
    let_go(env, held);
    return true;
  }
};

}  // namespace memprobe::guard::shares
