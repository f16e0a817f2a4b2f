// The replay as JavaScript gets it, which lib/compare/glibc.ts calls.
#include <memory>
#include <optional>

#include "../bind/handle.h"
#include "../topics.h"
#include "replay.h"

namespace memprobe {
namespace {

struct OpenReplay : replay::Replay {
  static constexpr napi_type_tag kind{0x6d656d70726f6265, 0x7265706c61790001};
  static constexpr const char* from = "what replay_open() returned";
  using replay::Replay::Replay;
};

using Handle = std::shared_ptr<OpenReplay>;

}  // namespace

namespace js {

template <>
struct Out<replay::Faults> {
  static std::string ts() { return "{ minor: number; major: number }"; }
  static napi_value write(napi_env env, const replay::Faults& from, Arguments) {
    Napi::Object out = Napi::Object::New(env);
    out.Set("minor", static_cast<double>(from.minor));
    out.Set("major", static_cast<double>(from.major));
    return out;
  }
};

template <>
struct Out<replay::Reach> {
  static std::string ts() {
    const std::string faults = Out<replay::Faults>::ts();
    return "{ peak: number; failed: number; faults: " + faults + "; resident: Float64Array }";
  }
  static napi_value write(napi_env env, const replay::Reach& from, Arguments arguments) {
    Napi::Object out = Napi::Object::New(env);
    out.Set("peak", static_cast<double>(from.peak));
    out.Set("failed", static_cast<double>(from.failed));
    out.Set("faults", Out<replay::Faults>::write(env, from.faults, arguments));
    out.Set("resident", typed_array(env, napi_float64_array, from.resident.data(), from.resident.size()));
    return out;
  }
};

template <>
struct Out<std::vector<double>> {
  static std::string ts() { return "Float64Array"; }
  static napi_value write(napi_env env, const std::vector<double>& from, Arguments) {
    return typed_array(env, napi_float64_array, from.data(), from.size());
  }
};

}  // namespace js

namespace {

constexpr size_t kMostSamples = 1 << 16;

Result<Handle> open_replay(size_t slots) {
  if (slots > INT32_MAX) return {.failure = fail(EINVAL)};
  return {.value = std::make_shared<OpenReplay>(slots)};
}

// The operations that are in these bytes; nothing where they are not whole, or one has no slot.
std::optional<replay::Operations> operations_in(const js::Bytes& bytes, const Handle& replay) {
  using replay::Operation;
  if (bytes.length % sizeof(Operation) != 0) return {};
  if (reinterpret_cast<uintptr_t>(bytes.data) % alignof(Operation) != 0) return {};
  const auto* first = reinterpret_cast<const Operation*>(bytes.data);
  const replay::Operations all(first, bytes.length / sizeof(Operation));
  if (!replay->has_slots_for(all)) return {};
  return all;
}

int run(const Handle& replay, const js::Bytes& bytes, int rounds) {
  const auto operations = operations_in(bytes, replay);
  if (!operations) return EINVAL;
  for (int i = 0; i < rounds; i++) replay->run(*operations);
  return 0;
}

Result<replay::Reach> walk(const Handle& replay, const js::Bytes& bytes, void* start, size_t samples) {
  const auto operations = operations_in(bytes, replay);
  if (!operations || samples > kMostSamples) return {.failure = fail(EINVAL)};
  replay->walk(*operations, reinterpret_cast<uintptr_t>(start), samples);
  return {.value = replay->reach()};
}

Result<std::vector<double>> cells(const Handle& replay, void* start, size_t cell_bytes) {
  if (cell_bytes == 0) return {.failure = fail(EINVAL)};
  return {.value = replay->cells(reinterpret_cast<uintptr_t>(start), cell_bytes)};
}

constexpr bind::Entry table[] = {
    SHAPE(replay_open, Told, "slots", [](size_t slots) { return open_replay(slots); }),
    SHAPE(replay_run, Returned, "replay operations rounds",
          [](const Handle& replay, const js::Bytes& bytes, int rounds) {
            return run(replay, bytes, rounds);
          }),
    SHAPE(replay_walk, Told, "replay operations start samples",
          [](const Handle& replay, const js::Bytes& bytes, void* start, size_t samples) {
            return walk(replay, bytes, start, samples);
          }),
    SHAPE(replay_faults, Never, "", [] { return replay::faults(); }),
    SHAPE(replay_cells, Told, "replay start cellBytes",
          [](const Handle& replay, void* start, size_t cell_bytes) {
            return cells(replay, start, cell_bytes);
          }),
};

}  // namespace

const bind::Topic topic::replay{"replay", nullptr, table};

}  // namespace memprobe
