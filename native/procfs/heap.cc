// The heap walk as JavaScript gets it: a few columns, which lib/procfs/heap.ts makes into objects.
#include "heap.h"

#include <initializer_list>
#include <utility>

#include "../topics.h"

namespace memprobe {

struct HeapTable {
  std::vector<uint64_t> arenas = {};  // address
  std::vector<double> totals =
      {};  // per arena: main, systemBytes, then chunks, bytes, resident, trimmable of each
  std::vector<uint64_t> pieces = {};    // start, end
  std::vector<double> piece_info = {};  // arena, resident
  std::vector<uint64_t> mmapped = {};   // start, end
  std::vector<double> mmapped_resident = {};
  std::vector<uint64_t> abseil = {};  // start, end
  std::vector<double> abseil_resident = {};
  std::vector<double> sizes = {};  // from, to, chunks, bytes
  double mmapped_bytes = -1;       // -1: malloc's own count was not found
};

namespace js {

template <>
struct Out<HeapTable> {
  static std::string ts() {
    return "{ arenas: BigUint64Array; totals: Float64Array; pieces: BigUint64Array; pieceInfo: Float64Array; "
           "mmapped: BigUint64Array; mmappedResident: Float64Array; abseil: BigUint64Array; "
           "abseilResident: Float64Array; sizes: Float64Array; mmappedBytes: number }";
  }
  static napi_value write(napi_env env, const HeapTable& from, Arguments) {
    napi_value out = nullptr;
    if (napi_create_object(env, &out) != napi_ok) return nullptr;
    const std::initializer_list<std::pair<const char*, napi_value>> properties = {
        {"arenas", column(env, from.arenas)},   {"totals", column(env, from.totals)},
        {"pieces", column(env, from.pieces)},   {"pieceInfo", column(env, from.piece_info)},
        {"mmapped", column(env, from.mmapped)}, {"mmappedResident", column(env, from.mmapped_resident)},
        {"abseil", column(env, from.abseil)},   {"abseilResident", column(env, from.abseil_resident)},
        {"sizes", column(env, from.sizes)},     {"mmappedBytes", number(env, from.mmapped_bytes)},
    };
    for (const auto& [name, value] : properties) {
      if (value == nullptr || napi_set_named_property(env, out, name, value) != napi_ok) return nullptr;
    }
    return out;
  }

 private:
  static napi_value column(napi_env env, const std::vector<uint64_t>& values) {
    return typed_array(env, napi_biguint64_array, values.data(), values.size());
  }
  static napi_value column(napi_env env, const std::vector<double>& values) {
    return typed_array(env, napi_float64_array, values.data(), values.size());
  }
};

}  // namespace js

namespace {

void append(std::vector<double>& to, std::initializer_list<uint64_t> values) {
  for (const uint64_t value : values) to.push_back(static_cast<double>(value));
}

void add_arena(HeapTable& out, const procfs::ArenaReport& arena) {
  const procfs::Totals& all = arena.totals;
  const size_t index = out.arenas.size();
  out.arenas.push_back(arena.address);
  append(out.totals, {arena.main, arena.system_bytes});
  for (const auto& part : {all.live, all.free, all.top, all.cached, all.fast, all.overhead, all.unwalked}) {
    append(out.totals, {part.chunks, part.bytes, part.resident, part.trimmable});
  }
  for (const auto& piece : arena.pieces) {
    out.pieces.insert(out.pieces.end(), {piece.range.start, piece.range.end});
    append(out.piece_info, {index, piece.resident});
  }
}

void add_blocks(const std::vector<procfs::MmappedBlock>& blocks, std::vector<uint64_t>& ranges,
                std::vector<double>& resident) {
  for (const auto& block : blocks) {
    ranges.insert(ranges.end(), {block.range.start, block.range.end});
    append(resident, {block.resident});
  }
}

HeapTable tabulate(const procfs::HeapReport& report) {
  HeapTable out;
  for (const auto& arena : report.arenas) add_arena(out, arena);
  add_blocks(report.mmapped, out.mmapped, out.mmapped_resident);
  add_blocks(report.abseil, out.abseil, out.abseil_resident);
  for (const auto& row : report.sizes) append(out.sizes, {row.from, row.to, row.chunks, row.bytes});
  if (report.mmapped_bytes) out.mmapped_bytes = static_cast<double>(*report.mmapped_bytes);
  return out;
}

Result<HeapTable> walk_heap(int pid) {
  procfs::HeapReport report;
  const int error = procfs::walk_heap(pid, report);
  if (error != 0) return {.value = {}, .failure = fail(error)};
  return {.value = tabulate(report), .failure = {}};
}

constexpr bind::Entry table[] = {
    SHAPE(walk_heap, Told, "pid", [](int pid) { return walk_heap(pid); }).blocking(),
};

}  // namespace

const bind::Topic topic::heap{"heap", nullptr, table};

}  // namespace memprobe
