#include "needs.h"

#include <malloc.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>

namespace memprobe::guard {
namespace {

constexpr long kHugetlbfsMagic = 0x958458f6;  // linux/magic.h

size_t default_huge_page() {
  static const size_t size = [] {
    size_t kib = 0;
    const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen("/proc/meminfo", "re"), std::fclose);
    std::array<char, 128> line{};
    while (file && std::fgets(line.data(), line.size(), file.get()) != nullptr) {
      if (std::sscanf(line.data(), "Hugepagesize: %zu", &kib) == 1) break;
    }
    return kib * 1024;
  }();
  return size;
}

// The kernel rounds a mapping's length up to the page size of what is mapped.
size_t unit_of(int flags, int fd) {
  struct statfs fs = {};
  if ((flags & MAP_ANONYMOUS) == 0) {
    return fstatfs(fd, &fs) == 0 && fs.f_type == kHugetlbfsMagic ? static_cast<size_t>(fs.f_bsize) : page_size();
  }
  if ((flags & MAP_HUGETLB) == 0) return page_size();
  const int log2 = (flags >> 26) & 0x3f;
  return log2 != 0 ? size_t{1} << log2 : std::max(default_huge_page(), page_size());
}

// A call that failed half-way may have unmapped what it was to replace.
bool still_mapped(const blocks::Extent& range) {
  return msync(reinterpret_cast<void*>(range.start), range.end - range.start, MS_ASYNC) == 0 || errno != ENOMEM;
}

}  // namespace

bool release_block(napi_env env, void* block, Failure& why) {
  const Lock lock(books().lock);
  const auto start = reinterpret_cast<uintptr_t>(block);
  if (!blocks::known(block)) {
    why = not_owned("not a block that memprobe allocated, or already freed");
    return false;
  }
  const uintptr_t end = start + malloc_usable_size(block);
  why = books().holds.obstacle(env, start, end);
  if (why) return false;
  books().holds.detach(env, start, end);
  blocks::remove(block);
  return true;
}

bool KnowsBlock::enter(napi_env, void* block) {
  if (block == nullptr) return true;
  lock_ = Lock(books().lock);
  const auto start = reinterpret_cast<uintptr_t>(block);
  if (blocks::attend(start, 0).start == start) return true;
  return refuse(not_owned("not a block that memprobe allocated, or already freed"));
}

bool Maps::enter(napi_env env, void* addr, size_t length, int prot, int flags, int fd, long) {
  prot_ = prot;
  flags_ = flags;
  fd_ = fd;
  wanted_ = pages(addr, length);
  const bool replaces = (flags & MAP_FIXED) != 0 && (flags & MAP_FIXED_NOREPLACE) == 0;
  if (!replaces || !aligned(addr) || length == 0) return true;
  if (!refuse(replaced_.take(env, wanted_.start, wanted_.end))) return false;
  return true;
}

int Maps::leave(void* result, int failed) {
  if (failed != 0) {
    if (!still_mapped(wanted_)) replaced_.keep_out();
    replaced_.put_back();
    return 0;
  }
  replaced_.keep_out();
  const size_t unit = unit_of(flags_, fd_);
  const size_t length = (wanted_.end - wanted_.start + unit - 1) / unit * unit;
  const auto start = reinterpret_cast<uintptr_t>(result);
  record({.start = start, .end = start + length, .prot = prot_, .file = (flags_ & MAP_ANONYMOUS) == 0});
  return 0;
}

bool Unmaps::enter(napi_env env, void* addr, size_t length) {
  if (!aligned(addr) || length == 0) return true;
  const blocks::Extent range = pages(addr, length);
  return refuse(transit_.take(env, range.start, range.end));
}

int Unmaps::leave(int, int failed) {
  if (failed == 0) transit_.keep_out();
  transit_.put_back();
  return 0;
}

bool Remaps::enter(napi_env env, void* old, size_t old_size, size_t new_size, int flags,
                   std::optional<void*> new_addr) {
  if (!aligned(old) || new_size == 0) return true;
  new_size_ = new_size;
  keeps_source_ = (flags & MREMAP_DONTUNMAP) != 0;
  const blocks::Extent from = pages(old, std::max<size_t>(old_size, 1));
  if (!refuse(source_.take(env, from.start, from.end))) return false;
  if (old_size == 0) keeps_source_ = true;
  if ((flags & MREMAP_FIXED) == 0 || !new_addr || !aligned(*new_addr)) return true;
  const blocks::Extent to = pages(*new_addr, new_size);
  return refuse(target_.take(env, to.start, to.end));
}

int Remaps::leave(void* result, int failed) {
  if (failed != 0 || new_size_ == 0) {
    source_.put_back();
    target_.put_back();
    return 0;
  }
  target_.keep_out();
  const std::vector<Range> parts = source_.keep_out();
  Range moved = parts.front();
  for (const Range& part : parts) moved.prot &= part.prot;
  if (keeps_source_) {
    for (const Range& part : parts) record(part);
  }
  const blocks::Extent now = pages(result, new_size_);
  moved.start = now.start;
  moved.end = now.end;
  moved.origin = Origin::Mmap;
  record(moved);
  return 0;
}

bool Protects::enter(napi_env env, void* addr, size_t length, int prot) {
  if (!aligned(addr) || length == 0) return true;
  prot_ = prot;
  const blocks::Extent range = pages(addr, length);
  const Lock lock(books().lock);
  if (!books().ranges.covers(range.start, range.end)) {
    return refuse(not_owned("memprobe did not map all of this range, so it does not protect it; memprobe/unsafe would"));
  }
  if (!refuse(books().holds.obstacle(env, range.start, range.end))) return false;
  books().holds.detach(env, range.start, range.end);
  parts_ = books().ranges.within(range.start, range.end);
  for (Range part : parts_) {  // no view may be made of it during the call
    part.prot = PROT_NONE;
    books().ranges.assign(part);
  }
  return true;
}

int Protects::leave(int, int failed) {
  const Lock lock(books().lock);
  for (Range part : parts_) {
    if (failed == 0) part.prot = prot_;
    // A refusal half-way leaves some pages changed: what is not known to be accessible is not viewed.
    if (failed == ENOMEM || failed == EACCES) part.prot &= prot_;
    books().ranges.assign(part);
  }
  return 0;
}

bool Seals::enter(napi_env, void* addr, size_t length, unsigned long) {
  if (!aligned(addr) || length == 0) return true;
  const blocks::Extent range = pages(addr, length);
  const Lock lock(books().lock);
  return books().ranges.covers(range.start, range.end) ||
         refuse(not_owned("memprobe did not map all of this range, so it does not seal it; memprobe/unsafe would"));
}

bool Advises::admit(napi_env env, void* addr, size_t length, int advice) {
  const Effect effect = effect_of(advice);
  if (effect == Effect::Harmless || !aligned(addr) || length == 0) return true;
  const blocks::Extent range = pages(addr, length);
  const Lock lock(books().lock);
  if (books().ranges.covers(range.start, range.end)) {
    if (effect == Effect::Discards) return true;
    if (!refuse(books().holds.obstacle(env, range.start, range.end))) return false;
    books().holds.detach(env, range.start, range.end);
    const std::vector<Range> parts = books().ranges.within(range.start, range.end);
    parts_.insert(parts_.end(), parts.begin(), parts.end());
    return true;
  }
  // Whole pages inside a block of malloc's may lose their contents, and nothing else.
  if (effect == Effect::Discards && owns(range.start, range.end - range.start)) return true;
  return refuse(not_owned("memprobe did not map all of this range, and this advice can destroy it; "
                          "memprobe/unsafe would pass it on"));
}

bool Advises::enter(napi_env env, void* addr, size_t length, int advice) {
  advice_ = advice;
  return admit(env, addr, length, advice);
}

bool Advises::enter(napi_env env, int, const js::Ranges& ranges, int advice, unsigned) {
  advice_ = advice;
  return std::all_of(ranges.begin(), ranges.end(), [&](const iovec& range) {
    return admit(env, range.iov_base, range.iov_len, advice);
  });
}

void Advises::settle(int failed) {
  if (advice_ != MADV_GUARD_INSTALL && advice_ != MADV_GUARD_REMOVE) return;
  const Lock lock(books().lock);
  for (Range part : parts_) {
    // A failed installation may have put some guards in place, a failed removal may have left some.
    part.guarded = advice_ == MADV_GUARD_INSTALL || (failed != 0 && part.guarded);
    books().ranges.assign(part);
  }
}

bool MovesBreak::enter(napi_env env, void* to) { return move(env, reinterpret_cast<uintptr_t>(to)); }

bool MovesBreak::enter(napi_env env, long increment) {
  const auto now = reinterpret_cast<uintptr_t>(sbrk(0));
  return increment == 0 || move(env, now + static_cast<uintptr_t>(increment));
}

bool MovesBreak::move(napi_env env, uintptr_t to) {
  lock_ = Lock(books().lock);
  from_ = reinterpret_cast<uintptr_t>(sbrk(0));
  to_ = to;
  if (to >= from_) return true;
  if (!books().ranges.covers(to, from_) || books().ranges.within(to, from_).front().origin != Origin::Break) {
    lock_ = {};
    return refuse(not_owned("the memory below the break is not memprobe's to give back: it was raised by glibc's "
                            "malloc, by someone else, or before"));
  }
  if (!refuse(books().holds.obstacle(env, to, from_))) {
    lock_ = {};
    return false;
  }
  books().holds.detach(env, to, from_);
  return true;
}

void MovesBreak::settle(int failed) {
  if (failed != 0 || !lock_.owns_lock()) return;
  if (to_ < from_) books().ranges.erase(to_, from_);
  if (to_ > from_) {
    books().ranges.assign({.start = from_, .end = to_, .prot = PROT_READ | PROT_WRITE, .origin = Origin::Break});
  }
}

bool Writes::enter(napi_env, void* addr, const js::Bytes& bytes) {
  if (pin_.hold_owned(reinterpret_cast<uintptr_t>(addr), bytes.length)) return true;
  return refuse(not_owned("memprobe did not allocate or map all of this; memprobe/unsafe writes anywhere"));
}

}  // namespace memprobe::guard
