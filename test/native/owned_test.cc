#include "../../native/guard/owned.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "check.h"
#include "fake_napi.h"
#include "memory.h"

using namespace memprobe::guard;

namespace {

void whole() {
  const fake::Pages mine(2);
  check::that(fake::owned(mine.start(), mine.length()) && fake::owned(mine.start() + 1, 1));
  check::that(!fake::owned(mine.start() - 1, 2) && !fake::owned(mine.start(), mine.length() + 1));
  check::that(!fake::owned(mine.start(), SIZE_MAX) && !fake::owned(UINTPTR_MAX, 1));
}

void put_back() {
  const fake::Pages mine(2);
  {
    Transit transit;
    check::that(!transit.take(fake::env, mine.start(), mine.end()));
    check::that(!fake::owned(mine.start(), mine.length()));
    Transit again;
    check::that(again.take(fake::env, mine.start(), mine.end()).code == "ERR_MEMPROBE_NOT_OWNED");
  }
  check::that(fake::owned(mine.start(), mine.length()));
}

void half_way() {
  const fake::Pages mine(2);
  Transit transit;
  check::that(!transit.take(fake::env, mine.start(), mine.end()));
  munmap(mine.address(), mine.length());
  transit.put_back();
  check::that(!fake::owned(mine.start(), 1));
}

void kept() {
  const fake::Pages mine(1);
  {
    Transit transit;
    check::that(!transit.take(fake::env, mine.start(), mine.end()));
    const auto parts = transit.keep_out();
    check::that(parts.size() == 1 && parts[0].start == mine.start());
  }
  check::that(!fake::owned(mine.start(), 1));
}

void pinned() {
  const fake::Pages mine(1);
  Transit transit;
  {
    Pin pin;
    check::that(pin.hold_owned(mine.start(), mine.length()));
    check::that(transit.take(fake::env, mine.start(), mine.end()).number == EBUSY);
    Pin stranger;
    check::that(!stranger.hold_owned(mine.end() + page_size(), 1));
  }
  check::that(!transit.take(fake::env, mine.start(), mine.end()));
}

void viewed() {
  const fake::Pages mine(1);
  fake::Buffer buffer;
  std::unique_ptr<Hold> hold;
  check::that(!begin_view(fake::env, mine.start(), mine.length(), hold));
  name_view(fake::env, *hold, buffer.value(), true);
  check::that(known_view(fake::env, mine.start(), mine.length()) == buffer.value());
  Transit transit;
  check::that(!transit.take(fake::env, mine.start(), mine.end()) && buffer.detached);
  end_view(fake::env, std::move(hold));
  check::that(buffer.references == 0);
}

void used() {
  const fake::Pages mine(2);
  fake::Buffer buffer;
  buffer.used = true;
  std::unique_ptr<Hold> hold;
  check::that(!begin_view(fake::env, mine.start(), mine.length(), hold));
  name_view(fake::env, *hold, buffer.value(), true);
  Transit transit;
  check::that(!transit.take(fake::env, mine.start(), mine.start() + page_size()));
  check::that(unmap(mine.address(), page_size()) == 0);
  transit.keep_out();
  end_view(fake::env, std::move(hold));
  check::that(fake::is_mapped(mine.start()) && !fake::owned(mine.start(), 1));
  // What runs on still finds memory, or at least no signal.
  *reinterpret_cast<volatile char*>(mine.start()) = 1;
  buffer.end_use();
  check::that(!fake::is_mapped(mine.start()) && fake::owned(mine.start() + page_size(), page_size()));
}

void unused() {
  const fake::Pages mine(1);
  Transit transit;
  check::that(!transit.take(fake::env, mine.start(), mine.end()));
  check::that(unmap(mine.address(), mine.length()) == 0 && !fake::is_mapped(mine.start()));
  transit.keep_out();
}

void unfit() {
  const fake::Pages mine(2);
  std::unique_ptr<Hold> hold;
  Range read_only = mine.range();
  read_only.prot = PROT_READ;
  record(read_only);
  check::that(begin_view(fake::env, mine.start(), 1, hold).number == EACCES);
  check::that(begin_view(fake::env, mine.end() + page_size(), 1, hold).code == "ERR_MEMPROBE_NOT_OWNED");
  check::that(hold == nullptr);
}

void rounding() {
  const size_t page = page_size();
  check::that(round_up(1, page) == page && round_up(page, page) == page && round_up(0, page) == 0);
  check::that(round_up(SIZE_MAX, page) == (SIZE_MAX & ~(page - 1)));
  const blocks::Extent odd = pages(reinterpret_cast<void*>(page + 1), page);
  check::that(odd.start == page && odd.end == 3 * page);
  const blocks::Extent top = pages(reinterpret_cast<void*>(page), SIZE_MAX);
  check::that(top.start == page && top.end == ~(page - 1));
}

// A file that somebody else shortens.
void truncated() {
  const size_t page = page_size();
  const int fd = memfd_create("guard-test", MFD_CLOEXEC);
  check::that(fd >= 0 && ftruncate(fd, static_cast<off_t>(2 * page)) == 0);
  void* address = mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  const auto start = reinterpret_cast<uintptr_t>(address);
  record({.start = start, .end = start + 2 * page, .prot = PROT_READ | PROT_WRITE, .unit = page, .file = true});
  auto* bytes = static_cast<volatile unsigned char*>(address);
  bytes[0] = 7;
  bytes[page] = 7;
  check::that(ftruncate(fd, static_cast<off_t>(page)) == 0);
  check::that(bytes[page] == 0 && bytes[0] == 7);
  munmap(address, 2 * page);
  close(fd);
  const Lock lock(books().lock);
  books().ranges.erase(start, start + 2 * page);
}

}  // namespace

void owned_tests() {
  check::fact("what is owned is owned to its last byte, and not beyond", whole);
  check::fact("memory on its way out belongs to nobody, and comes back when the call failed", put_back);
  check::fact("what a failed call unmapped all the same does not come back", half_way);
  check::fact("memory that was given away stays away", kept);
  check::fact("pinned memory is not given away", pinned);
  check::fact("a view is detached before its memory is given away", viewed);
  check::fact("the addresses of memory stay reserved as long as its view is used", used);
  check::fact("memory without a view is unmapped at once", unused);
  check::fact("no view is made of what is protected, or foreign", unfit);
  check::fact("lengths are rounded to pages, and stay at the top of the address space", rounding);
  check::fact("a file that shrinks gives zeroes", truncated);
}
