// What the guard knows, for the tools: explain must tell memprobe's own memory from the program's.
#include "../topics.h"
#include "check.h"

namespace memprobe {

template <>
struct js::Out<std::vector<guard::blocks::Extent>> {
  static std::string ts() { return "BigUint64Array"; }
  static napi_value write(napi_env env, const std::vector<guard::blocks::Extent>& from, Arguments) {
    static_assert(sizeof(guard::blocks::Extent) == 2 * sizeof(uint64_t));
    return typed_array(env, napi_biguint64_array, reinterpret_cast<const uint64_t*>(from.data()), 2 * from.size());
  }
};

template <>
struct js::Out<std::vector<std::string>> {
  static std::string ts() { return "string[]"; }
  static napi_value write(napi_env env, const std::vector<std::string>& from, Arguments arguments) {
    napi_value array = nullptr;
    if (napi_create_array_with_length(env, from.size(), &array) != napi_ok) return nullptr;
    for (uint32_t i = 0; i < from.size(); i++) {
      if (napi_set_element(env, array, i, Out<std::string>::write(env, from[i], arguments)) != napi_ok) return nullptr;
    }
    return array;
  }
};

template <>
struct js::Fields<guard::Counts> {
  using C = guard::Counts;
  static constexpr std::tuple list{FIELD(C, ranges), FIELD(C, mapped), FIELD(C, blocks), FIELD(C, retired), FIELD(C, pins),
                                   FIELD(C, views),  FIELD(C, stale),  FIELD(C, shares), FIELD(C, orphans)};
};

namespace {

// Start and end of each range in turn: what was mapped, and the guard's own shadow.
std::vector<guard::blocks::Extent> owned() {
  std::vector<guard::blocks::Extent> found = guard::blocks::shadows();
  const guard::Lock lock(guard::books().lock);
  for (const guard::Range& range : guard::books().ranges.within(0, UINTPTR_MAX)) {
    found.push_back({range.start, range.end});
  }
  return found;
}

constexpr bind::Entry table[] = {
    SHAPE(owned_ranges, Never, "", [] { return owned(); }),
    SHAPE(guard_counts, Never, "", [] { return guard::counts(); }),
    SHAPE(guard_check, Never, "", [] { return guard::check(); }),
};

}  // namespace

const bind::Topic topic::guard{"guard", nullptr, table};

}  // namespace memprobe
