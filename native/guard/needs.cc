#include "needs.h"

#include <malloc.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>

#include "others.h"

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

size_t unit_at(const void* address) {
  const Lock lock(books().lock);
  const size_t unit = books().ranges.unit_at(reinterpret_cast<uintptr_t>(address));
  return unit != 0 ? unit : page_size();
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

}  // namespace

bool release_block(napi_env env, void* block, Failure& why) {
  const Lock lock(books().lock);
  // From here on nobody takes it without the lock: another thread may have freed it, and got it again, since claim.
  if (!blocks::attend(block)) {
    why = not_owned("not a block that memprobe allocated, or already freed");
    return false;
  }
  const auto start = reinterpret_cast<uintptr_t>(block);
  const uintptr_t end = start + malloc_usable_size(block);
  why = books().holds.obstacle(env, start, end);
  if (why) return false;
  books().holds.detach(env, start, end);
  if (books().holds.stale_in(start, end)) blocks::retire(block);
  else blocks::remove(block);
  return true;
}

bool KnowsBlock::enter(napi_env, void* block) {
  if (block == nullptr) return true;
  lock_ = Lock(books().lock);
  if (blocks::attend(block)) return true;
  return refuse(not_owned("not a block that memprobe allocated, or already freed"));
}

bool Maps::enter(napi_env env, void* addr, size_t length, int prot, int flags, int fd, long) {
  const size_t unit = unit_of(flags, fd);
  made_ = {.end = round_up(length, unit), .prot = prot, .unit = unit, .file = (flags & MAP_ANONYMOUS) == 0};
  const bool replaces = (flags & MAP_FIXED) != 0 && (flags & MAP_FIXED_NOREPLACE) == 0;
  if (!replaces || !aligned(addr) || length == 0) return true;
  const blocks::Extent wanted = pages(addr, made_.end);
  return refuse(replaced_.take(env, wanted.start, wanted.end));
}

int Maps::leave(void* result, int failed) {
  if (failed == 0) {
    replaced_.keep_out();
    made_.start = reinterpret_cast<uintptr_t>(result);
    made_.end += made_.start;
    record(made_);
  }
  replaced_.put_back();
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
  keeps_source_ = (flags & MREMAP_DONTUNMAP) != 0 || old_size == 0;
  unit_ = unit_at(old);
  const bool replaces = (flags & MREMAP_FIXED) != 0 && new_addr && aligned(*new_addr);
  const blocks::Extent from = pages(old, std::max<size_t>(old_size, 1), unit_);
  const blocks::Extent to = replaces ? pages(*new_addr, new_size, unit_) : blocks::Extent{};
  if (from.start < to.end && to.start < from.end) return true;  // they overlap: EINVAL
  if (!refuse(source_.take(env, from.start, from.end, share_))) return false;
  return !replaces || refuse(target_.take(env, to.start, to.end));
}

int Remaps::leave(void* result, int failed) {
  if (failed != 0 || new_size_ == 0) {
    if (failed != kNeverRan) target_.put_back(source_);  // several mappings go one after the other (Linux 6.17)
    source_.put_back();
    return 0;
  }
  target_.keep_out();
  const blocks::Extent now = pages(result, new_size_, unit_);
  const std::vector<Range> parts = source_.keep_out();
  Range moved = parts.front();
  for (const Range& part : parts) {
    moved.prot &= part.prot;
    moved.file |= part.file;
    moved.guarded |= part.guarded;
    moved.faulted |= part.faulted;
  }
  if (keeps_source_) {
    for (const Range& part : parts) record(part);
  } else if (now.start == moved.start) {
    const Lock lock(books().lock);
    reserve(now.end, parts.back().end);
  }
  moved.start = now.start;
  moved.end = now.end;
  moved.origin = Origin::Mmap;
  moved.numa = numa_;
  record(moved);
  return 0;
}

bool Protects::enter(napi_env env, void* addr, size_t length, int prot) {
  if (!aligned(addr) || length == 0) return true;
  if ((prot & (PROT_GROWSDOWN | PROT_GROWSUP)) != 0) {
    return refuse(not_owned("PROT_GROWSDOWN and PROT_GROWSUP reach to the end of the kernel's mapping, wherever that is; "
                            "name the range, or memprobe/unsafe would"));
  }
  prot_ = prot;
  const blocks::Extent range = pages(addr, length);
  const Lock lock(books().lock);
  if (!books().ranges.covers(range.start, range.end)) {
    return refuse(not_owned("memprobe did not map all of this range, so it does not protect it; memprobe/unsafe would"));
  }
  if (!refuse(books().holds.obstacle(env, range.start, range.end))) return false;
  books().holds.detach(env, range.start, range.end);
  pin_.hold_locked(range.start, range.end);
  books().ranges.cut(range.start, range.end);
  parts_ = books().ranges.within(range.start, range.end);
  for (Range part : parts_) {  // no view may be made of it during the call
    part.prot = PROT_NONE;
    books().ranges.assign(part);
  }
  return true;
}

int Protects::leave(int, int failed) {
  if (parts_.empty()) return 0;
  settle(failed);
  pin_.release();
  return 0;
}

void Protects::settle(int failed) {
  const Lock lock(books().lock);
  for (Range part : parts_) {
    if (failed == 0) part.prot = prot_;
    // A refusal half-way (ENOMEM, EACCES, EPERM of a sealed page) leaves some pages changed.
    else if (failed != kNeverRan && !others::accessible(part.start, part.end)) part.prot &= prot_;
    books().ranges.assign(part);
  }
}

bool Seals::enter(napi_env, void* addr, size_t length, unsigned long) {
  if (!aligned(addr) || length == 0) return true;
  const blocks::Extent range = pages(addr, length);
  const Lock lock(books().lock);
  if (!books().ranges.covers(range.start, range.end)) {
    return refuse(not_owned("memprobe did not map all of this range, so it does not seal it; memprobe/unsafe would"));
  }
  for (const Range& part : books().ranges.within(range.start, range.end)) {
    if (!part.can_fault()) continue;
    return refuse(not_owned("the file (or the huge pages) behind this range is others' too: should they take pages away, "
                            "nothing could be put in place of sealed ones, and Node would end by SIGBUS; memprobe/unsafe would"));
  }
  pin_.hold_locked(range.start, range.end);
  return true;
}

bool Advises::admit(napi_env env, const blocks::Extent& range) {
  const bool discards = effect_of(advice_) == Effect::Discards;
  if (books().ranges.covers(range.start, range.end)) {
    return discards || refuse(books().holds.obstacle(env, range.start, range.end));
  }
  // Whole pages inside a block of malloc's may lose their contents, and nothing else.
  if (discards && owns(range.start, range.end - range.start)) return true;
  return refuse(not_owned("memprobe did not map all of this range, and this advice can destroy it; "
                          "memprobe/unsafe would pass it on"));
}

// Nobody gives it away during the call, and of what may become inaccessible no view is made.
void Advises::prepare(napi_env env, const blocks::Extent& range) {
  pin_.hold_locked(range.start, range.end);
  if (effect_of(advice_) == Effect::Discards) return;
  books().holds.detach(env, range.start, range.end);
  books().ranges.cut(range.start, range.end);
  const std::vector<Range> parts = books().ranges.within(range.start, range.end);
  parts_.insert(parts_.end(), parts.begin(), parts.end());
  for (Range part : parts) {
    part.guarded = true;
    books().ranges.assign(part);
  }
}

bool Advises::enter(napi_env env, void* addr, size_t length, int advice) {
  if (effect_of(advice) == Effect::Harmless) return true;  // before a list is made of it
  return enter(env, -1, {{addr, length}}, advice, 0);
}

bool Advises::enter(napi_env env, int, const js::Ranges& ranges, int advice, unsigned) {
  advice_ = advice;
  if (effect_of(advice) == Effect::Harmless) return true;
  const Lock lock(books().lock);
  std::vector<blocks::Extent> touched;
  for (const iovec& range : ranges) {
    if (!aligned(range.iov_base) || range.iov_len == 0) continue;
    touched.push_back(pages(range.iov_base, range.iov_len));
    if (!admit(env, touched.back())) return false;
  }
  for (const blocks::Extent& range : touched) prepare(env, range);
  return true;
}

void Advises::settle(int failed) {
  if (parts_.empty()) return;
  const Lock lock(books().lock);
  // In reverse: of ranges that overlap, the first remembers what was.
  for (auto part = parts_.rbegin(); part != parts_.rend(); ++part) {
    // A failed installation may have put some guards in place, a failed removal may have left some.
    if (advice_ == MADV_GUARD_INSTALL && failed != kNeverRan) part->guarded = true;
    if (advice_ == MADV_GUARD_REMOVE && failed == 0) part->guarded = false;
    books().ranges.assign(*part);
  }
}

bool MovesBreak::enter(napi_env env, void* to) {
  lock_ = Lock(books().lock);
  from_ = reinterpret_cast<uintptr_t>(sbrk(0));
  return move(env, reinterpret_cast<uintptr_t>(to));
}

bool MovesBreak::enter(napi_env env, long increment) {
  lock_ = Lock(books().lock);
  from_ = reinterpret_cast<uintptr_t>(sbrk(0));
  return move(env, from_ + static_cast<uintptr_t>(increment));
}

bool MovesBreak::move(napi_env env, uintptr_t to) {
  to_ = to;
  if (to >= from_) {
    books().holds.let_break_pass(from_, to);
    return true;
  }
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
  if (to_ < from_) {
    books().ranges.erase(to_, from_);
    reserve(round_up(to_, page_size()), round_up(from_, page_size()), Remains::Of::Break);
  }
  if (to_ > from_) {
    books().ranges.assign({.start = from_,
                           .end = to_,
                           .prot = PROT_READ | PROT_WRITE,
                           .origin = Origin::Break,
                           .unit = page_size()});
  }
}

bool Locks::enter(napi_env, void* addr, size_t length) {
  const auto start = reinterpret_cast<uintptr_t>(addr);
  if (length == 0 || length > UINTPTR_MAX - start) return true;
  const Lock lock(books().lock);
  if (owns(start, length)) return true;
  const blocks::Extent range = pages(addr, length);
  if (!others::manage(range.start, range.end)) return true;
  return refuse(not_owned("some of it may be V8's, which ends the process when it can't give back a page because that is "
                          "locked; lock what you mapped, or memprobe/unsafe would"));
}

bool LocksAll::enter(napi_env, int flags) {
  constexpr int known = MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT;
  if ((flags & (MCL_CURRENT | MCL_FUTURE)) == 0 || (flags & ~known) != 0) return true;  // EINVAL
  return refuse(not_owned("V8's pages would be locked too, and it ends the process when it can't give one back; lock what "
                          "you mapped, or memprobe/unsafe would"));
}

bool Writes::enter(napi_env, void* addr, const js::Bytes& bytes) {
  if (pin_.hold_owned(reinterpret_cast<uintptr_t>(addr), bytes.length)) return true;
  return refuse(not_owned("memprobe did not allocate or map all of this; memprobe/unsafe writes anywhere"));
}

}  // namespace memprobe::guard
