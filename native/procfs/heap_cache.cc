#include "heap_cache.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "heap_chain.h"

namespace memprobe::procfs {
namespace {

constexpr size_t kFastbins = 10;
constexpr size_t kSmallBins = 64;
constexpr size_t kMaxBins = 76;
constexpr uint64_t kLargestSmall = kMinChunk + 16 * (kSmallBins - 1);
constexpr size_t kMaxList = 1 << 20;  // longer is a loop
constexpr int kRetries = 3;

// A cache, whatever glibc's layout: the first block and the number of blocks of each bin.
struct Cache {
  size_t bins = 0;
  std::array<uint64_t, kMaxBins> entries = {};
  std::array<uint64_t, kMaxBins> counts = {};
};

using Bytes = std::array<uint8_t, kCacheChunks.back()>;

template <class T>
uint64_t word(const uint8_t* from, size_t index) {
  T value{};
  std::memcpy(&value, from + index * sizeof value, sizeof value);
  return value;
}

// glibc 2.26: bytes, 2.30: 16-bit counts; 2.42: 16-bit numbers of free places, so of how many more would fit.
Cache decode(const Bytes& bytes, uint64_t chunk_size) {
  const bool has_places = chunk_size == kCacheChunks[2];
  Cache out{.bins = has_places ? kMaxBins : kSmallBins};
  const size_t width = chunk_size == kCacheChunks[0] ? 1 : 2;
  uint64_t most = 0;
  for (size_t i = 0; i < out.bins; i++) {
    out.counts[i] = width == 1 ? bytes[i] : word<uint16_t>(bytes.data(), i);
    out.entries[i] = word<uint64_t>(bytes.data() + out.bins * width, i);
    most = std::max(most, out.counts[i]);
  }
  for (size_t i = 0; has_places && i < out.bins; i++) out.counts[i] = most - out.counts[i];
  return out;
}

bool may_be_block(uint64_t address) { return address != 0 && address % 16 == 0; }

bool consistent(const Cache& cache) {
  bool empty = true;
  for (size_t i = 0; i < cache.bins; i++) {
    if ((cache.counts[i] == 0) != (cache.entries[i] == 0)) return false;
    if (cache.entries[i] != 0 && !may_be_block(cache.entries[i])) return false;
    empty = empty && cache.counts[i] == 0;
  }
  return !empty;
}

bool right_size(uint64_t size, size_t bin) {
  return bin < kSmallBins ? size == kMinChunk + 16 * bin : size > kLargestSmall && size % 16 == 0;
}

// A list of free blocks of one bin. tcache links blocks by the address that malloc returned, fastbins by the
// chunk's.
struct List {
  const Process& process;
  size_t bin = 0;
  uint64_t link_to_block = 0;
  size_t limit = kMaxList;

  struct Block {
    uint64_t at = 0;  // as malloc returned it
    uint64_t size = 0;
    uint64_t link = 0;
  };

  std::optional<Block> block(uint64_t at) const {
    std::array<uint64_t, 3> words{};
    if (!may_be_block(at) || !process.read(at - 16, words.data(), sizeof words)) return {};
    const uint64_t size = Header{words[0], words[1]}.size();
    if (!right_size(size, bin)) return {};
    return Block{at, size, words[2]};
  }

  // Since glibc 2.32 a link is mixed with its own address ("safe linking"); before, it was plain.
  static bool is_last(const Block& of) { return of.link == 0 || of.link == of.at >> 12; }
  std::optional<Block> next(const Block& of) const {
    const auto revealed = block((of.link ^ (of.at >> 12)) + link_to_block);
    return revealed ? revealed : block(of.link + link_to_block);
  }

  // Appends the list that begins with the block at `first`. False: this is no such list.
  bool read(uint64_t first, std::vector<FreeBlock>& out) const {
    auto current = block(first);
    for (size_t count = 0; current && count < limit; count++) {
      out.push_back({current->at - 16, current->size});
      if (is_last(*current)) return true;
      current = next(*current);
    }
    return false;
  }
};

bool try_cache(const Process& process, uint64_t chunk, uint64_t size, std::vector<FreeBlock>& out) {
  Bytes bytes{};
  if (!process.read(chunk + 16, bytes.data(), size - kHeaderBytes)) return false;
  const Cache cache = decode(bytes, size);
  if (!consistent(cache)) return false;
  for (size_t i = 0; i < cache.bins; i++) {
    const size_t before = out.size();
    if (cache.entries[i] == 0) continue;
    if (!List{process, i, 0, cache.counts[i]}.read(cache.entries[i], out) ||
        out.size() - before != cache.counts[i])
      return false;
  }
  return true;
}

}  // namespace

// A thread may be changing its cache at this moment: then once more.
std::vector<FreeBlock> read_cache(const Process& process, uint64_t chunk, uint64_t size) {
  if (std::find(kCacheChunks.begin(), kCacheChunks.end(), size) == kCacheChunks.end()) return {};
  for (int i = 0; i < kRetries; i++) {
    std::vector<FreeBlock> out;
    if (try_cache(process, chunk, size, out)) return out;
    if (out.empty()) return {};
  }
  return {};
}

std::vector<FreeBlock> read_fastbins(const Process& process, uint64_t bins) {
  std::array<uint64_t, kFastbins> heads{};
  std::vector<FreeBlock> out;
  if (!process.read(bins - 16 - sizeof heads, heads.data(), sizeof heads)) return out;
  for (size_t i = 0; i < heads.size(); i++) {
    const size_t before = out.size();
    if (heads[i] == 0) continue;
    if (!List{process, i, 16}.read(heads[i] + 16, out)) out.resize(before);
  }
  return out;
}

}  // namespace memprobe::procfs
