#include "../../native/guard/blocks.h"

#include <cstdlib>
#include <memory>

#include "check.h"
#include "memory.h"

namespace blocks = memprobe::guard::blocks;
using blocks::Claim;

namespace {

struct Free {
  void operator()(void* block) const { std::free(block); }
};
using Block = std::unique_ptr<void, Free>;

uintptr_t address(const Block& block) { return reinterpret_cast<uintptr_t>(block.get()); }

void claimed_once() {
  const Block block(std::malloc(100));
  check::that(blocks::claim(block.get()) == Claim::Unknown);
  check::that(blocks::add(block.get()) && blocks::known(block.get()));
  check::that(blocks::claim(block.get()) == Claim::Taken);
  check::that(blocks::claim(block.get()) == Claim::Unknown && !blocks::known(block.get()));
}

void strangers() {
  int local = 0;
  for (const uintptr_t each : {uintptr_t{0}, uintptr_t{8}, UINTPTR_MAX, UINTPTR_MAX & ~uintptr_t{15},
                               reinterpret_cast<uintptr_t>(&local) & ~uintptr_t{15}, uintptr_t{1} << 48}) {
    check::that(blocks::claim(reinterpret_cast<void*>(each)) == Claim::Unknown);
    check::that(!blocks::known(reinterpret_cast<void*>(each)));
  }
}

void inside() {
  const Block block(std::malloc(100));
  blocks::add(block.get());
  void* middle = static_cast<std::byte*>(block.get()) + 16;
  check::that(blocks::claim(middle) == Claim::Unknown);
  check::that(blocks::claim(static_cast<std::byte*>(block.get()) + 1) == Claim::Unknown);
  blocks::remove(block.get());
}

void attended() {
  const Block block(std::malloc(100));
  blocks::add(block.get());
  const blocks::Extent found = blocks::attend(address(block) + 40, 20);
  check::that(found.start == address(block) && found.end >= found.start + 100);
  check::that(blocks::claim(block.get()) == Claim::Attended && blocks::known(block.get()));
  check::that(blocks::attend(address(block), 1).start == address(block));
  blocks::remove(block.get());
  check::that(!blocks::known(block.get()) && blocks::attend(address(block), 1).start != address(block));
}

void beyond() {
  const Block block(std::malloc(100));
  blocks::add(block.get());
  check::that(blocks::attend(address(block), 4096).start == 0);
  check::that(blocks::attend(address(block) + 50, SIZE_MAX).start == 0);
  blocks::remove(block.get());
}

void large() {
  constexpr size_t kLarge = size_t{600} << 20;  // across three leaves, and never touched
  const Block block(std::malloc(kLarge));
  if (block == nullptr) return;
  blocks::add(block.get());
  check::that(blocks::attend(address(block) + kLarge - 1, 1).start == address(block));
  blocks::remove(block.get());
}

// No address of a process: whoever looks for blocks of memory does not come by.
void* far_away(uintptr_t leaf) { return reinterpret_cast<void*>((uintptr_t{0x90000} + leaf) << blocks::kLeafBits); }

// A block at the seams of the shadow: of a page of it, of a leaf, of what is told of 4096 leaves at once.
void seams() {
  constexpr uintptr_t leaf = uintptr_t{1} << blocks::kLeafBits;
  constexpr uintptr_t tract = blocks::kTractCells * blocks::kAlignment;
  const auto base = reinterpret_cast<uintptr_t>(far_away(0x1000));
  for (const uintptr_t at : {base, base + 16, base + tract - 16, base + tract, base + leaf - 16}) {
    void* block = reinterpret_cast<void*>(at);
    check::that(blocks::add(block));
    for (const uintptr_t above : {at, at + 1, at + 15, at + tract, at + leaf - 1, at + leaf, at + 5000 * leaf}) {
      check::that(blocks::last_at_or_below(above) == at);
    }
    check::that(blocks::last_at_or_below(at - 1) != at);
    blocks::remove(block);
    check::that(blocks::last_at_or_below(at) != at);
  }
}

void shadows() {
  const Block block(std::malloc(100));
  blocks::add(block.get());
  const auto leaf = reinterpret_cast<uintptr_t>(blocks::leaf_of(address(block)));
  bool listed = false;
  for (const blocks::Extent& each : blocks::shadows()) listed = listed || each.start == leaf;
  check::that(listed);
  blocks::remove(block.get());
}

void spare() {
  check::that(blocks::have_spare());
  bool first = false;
  bool second = true;
  bool another = true;
  {
    const fake::NoRoom limit;
    first = blocks::add(far_away(0));
    second = blocks::add(far_away(1));
    another = blocks::have_spare();
  }
  check::that(first && blocks::known(far_away(0)) && !second && !another);
  check::that(blocks::have_spare());
  blocks::remove(far_away(0));
}

void alone() {
  blocks::join();
  const Block block(std::malloc(100));
  blocks::add(block.get());
  check::that(blocks::claim(block.get()) == Claim::Taken && blocks::claim(block.get()) == Claim::Unknown);
  blocks::join();
  check::that(!blocks::alone);
  blocks::add(block.get());
  check::that(blocks::claim(block.get()) == Claim::Taken && blocks::claim(block.get()) == Claim::Unknown);
}

}  // namespace

void blocks_tests() {
  check::fact("a block is claimed once", claimed_once);
  check::fact("no other address is claimed", strangers);
  check::fact("nor is the inside of a block", inside);
  check::fact("a block that is attended to is not claimed unasked", attended);
  check::fact("nothing that ends beyond a block is in it", beyond);
  check::fact("a byte far inside a large block belongs to it", large);
  check::fact("the block at or below an address is found across the seams of the shadow", seams);
  check::fact("the shadow knows its own mappings", shadows);
  check::fact("a spare leaf takes one block that there is no memory for", spare);
  check::fact("blocks are claimed once by one thread alone too", alone);
}
