// numa(3): struct bitmask, of any size; a nodemask_t is a Bitmask of NUMA_NUM_NODES bits.
#include "topics.h"

namespace memprobe::numa {
namespace {

constexpr unsigned kMostBits = 2147483647;

Result<::bitmask*> alloc(unsigned bits) {
  if (bits == 0 || bits > kMostBits) {
    return {.failure = fail("ERR_OUT_OF_RANGE", "The value of \"n\" is out of range. It must be >= 1 and <= " +
                                                    std::to_string(kMostBits) + ". Received " + std::to_string(bits))};
  }
  ::bitmask* mask = allocate(bits);
  return mask == nullptr ? Result<::bitmask*>{.failure = fail(ENOMEM)} : Result<::bitmask*>{.value = mask};
}

// C ignores a bit beyond the mask.
template <auto Change>
Result<Filled> change(Target mask, unsigned bit) {
  if (bit < mask.mask->size) {
    Change(mask.mask, bit);
    return {};
  }
  return {.failure = fail("ERR_OUT_OF_RANGE", "The value of \"n\" is out of range. It must be less than the mask's " +
                                                  std::to_string(mask.mask->size) + " bits. Received " +
                                                  std::to_string(bit))};
}

template <auto Change>
Filled change_all(Target mask) {
  Change(mask.mask);
  return {};  // the mask itself, as in C
}

// C copies whole words: what lies behind the last bit would be copied on.
void copy(Bits from, Target to) {
  ::copy_bitmask_to_bitmask(from.mask, to.mask);
  const size_t rest = to.mask->size % js::NodeMask::kWordBits;
  if (rest != 0) to.mask->maskp[to.mask->size / js::NodeMask::kWordBits] &= (1UL << rest) - 1;
}

// The object stays, and everything that is done with it throws from then on.
void release(Doomed mask) { numa_bitmask_free(std::exchange(mask.wrapped->mask, nullptr)); }

nodemask_t nodemask_of(const ::bitmask* mask) {
  nodemask_t nodes{};
  copy_bitmask_to_nodemask(const_cast<::bitmask*>(mask), &nodes);
  return nodes;
}

constexpr bind::Entry table[] = {
    LIBNUMA_SHAPE(numa_bitmask_alloc, Told, "n", [](unsigned n) { return alloc(n); }),
    LIBNUMA_SHAPE(numa_bitmask_free, Done, "mask", [](Doomed mask) { release(mask); }),
    LIBNUMA(numa_allocate_nodemask, Null, ""),
    LIBNUMA_SHAPE(numa_free_nodemask, Done, "mask", [](Doomed mask) { release(mask); }),
    LIBNUMA(numa_allocate_cpumask, Null, ""),
    LIBNUMA_SHAPE(numa_free_cpumask, Done, "mask", [](Doomed mask) { release(mask); }),
    LIBNUMA_SHAPE(numa_bitmask_isbitset, Never, "mask n",
                  [](Bits mask, unsigned n) { return ::numa_bitmask_isbitset(mask.mask, n); }),
    LIBNUMA_SHAPE(numa_bitmask_setall, Never, "mask", [](Target mask) { return change_all<::numa_bitmask_setall>(mask); }),
    LIBNUMA_SHAPE(numa_bitmask_clearall, Never, "mask",
                  [](Target mask) { return change_all<::numa_bitmask_clearall>(mask); }),
    LIBNUMA_SHAPE(numa_bitmask_setbit, Told, "mask n",
                  [](Target mask, unsigned n) { return change<::numa_bitmask_setbit>(mask, n); }),
    LIBNUMA_SHAPE(numa_bitmask_clearbit, Told, "mask n",
                  [](Target mask, unsigned n) { return change<::numa_bitmask_clearbit>(mask, n); }),
    LIBNUMA_SHAPE(numa_bitmask_nbytes, Never, "mask",
                  [](Bits mask) { return static_cast<size_t>(::numa_bitmask_nbytes(mask.mask)); }),
    LIBNUMA_SHAPE(numa_bitmask_weight, Never, "mask",
                  [](Bits mask) { return static_cast<size_t>(::numa_bitmask_weight(mask.mask)); }),
    LIBNUMA_SHAPE(numa_bitmask_equal, Never, "a b",
                  [](Bits a, Bits b) { return ::numa_bitmask_equal(a.mask, b.mask); }),
    LIBNUMA_SHAPE(copy_bitmask_to_bitmask, Done, "from to",
                  [](Bits from, Target to) { copy(from, to); }),
    LIBNUMA_SHAPE(copy_bitmask_to_nodemask, Done, "from to",
                  [](Bits from, Target to) {
                    nodemask_t nodes = nodemask_of(from.mask);
                    ::copy_nodemask_to_bitmask(&nodes, to.mask);
                  }),
    LIBNUMA_SHAPE(copy_nodemask_to_bitmask, Done, "from to",
                  [](Bits from, Target to) {
                    nodemask_t nodes = nodemask_of(from.mask);
                    ::copy_nodemask_to_bitmask(&nodes, to.mask);
                  }),
};

}  // namespace

const bind::Topic topic::bitmask{"bitmask", "numa.h", table};

}  // namespace memprobe::numa
