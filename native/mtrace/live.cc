#include "live.h"

#include <algorithm>
#include <utility>

namespace memprobe::mtrace {

bool LiveBlocks::add(uint64_t address, const Block& block) {
  if (!is_aligned(address)) {
    const bool added = unaligned_.try_emplace(address, block).second;
    count_ += added;
    return added;
  }
  Part& part = part_of(address);
  uint32_t& slot = part.slots[slot_of(address)];
  if (slot != kNone) return false;
  slot = take_record();
  record(slot) = block;
  part.used++;
  count_++;
  return true;
}

bool LiveBlocks::remove(uint64_t address) {
  if (!is_aligned(address)) {
    const bool removed = unaligned_.erase(address) != 0;
    count_ -= removed;
    return removed;
  }
  Part* part = find_part(address);
  if (part == nullptr || part->slots[slot_of(address)] == kNone) return false;
  const uint32_t number = std::exchange(part->slots[slot_of(address)], kNone);
  record(number).line = std::exchange(unused_, number);
  count_--;
  if (--part->used == 0) drop_part(address);
  return true;
}

LiveBlocks::Part* LiveBlocks::find_part(uint64_t address) {
  const uint64_t number = address >> kPartBits;
  Recent& recent = recent_[number % kRecent];
  if (recent.part != nullptr && recent.number == number) return recent.part;
  const auto found = parts_.find(number);
  if (found == parts_.end()) return nullptr;
  recent = {.number = number, .part = found->second.get()};
  return recent.part;
}

LiveBlocks::Part& LiveBlocks::part_of(uint64_t address) {
  if (Part* part = find_part(address)) return *part;
  const uint64_t number = address >> kPartBits;
  Part* part = parts_.emplace(number, std::make_unique<Part>()).first->second.get();
  recent_[number % kRecent] = {.number = number, .part = part};
  return *part;
}

void LiveBlocks::drop_part(uint64_t address) {
  const uint64_t number = address >> kPartBits;
  recent_[number % kRecent] = {};
  parts_.erase(number);
}

uint32_t LiveBlocks::take_record() {
  if (unused_ == kNone) add_group();
  return std::exchange(unused_, static_cast<uint32_t>(record(unused_).line));
}

// Number 0 is none.
void LiveBlocks::add_group() {
  const uint32_t first = static_cast<uint32_t>(records_.size()) << kGroupBits;
  records_.push_back(std::make_unique_for_overwrite<Block[]>(kGroup));
  for (uint32_t number = first + kGroup; number-- > std::max(first, kNone + 1);) {
    record(number).line = std::exchange(unused_, number);
  }
}

}  // namespace memprobe::mtrace
