#include "shares.h"

#include <sys/random.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <unordered_map>
#include <utility>

#include "owned.h"

namespace memprobe::guard::shares {
namespace {

using Table = std::unordered_map<std::string, Share>;

// Under the guard's lock.
Table& table() {
  static Table instance;
  return instance;
}
std::atomic<size_t> orphans = 0;

Failure stale() {
  return fail("ERR_MEMPROBE_STALE_HANDLE",
              "no mapping of this process has this handle: its last holder has let go, or the handle is not from here");
}
Failure closed() { return fail("ERR_MEMPROBE_CLOSED", "this Mapping was closed"); }

std::string random_id() {
  std::array<unsigned char, 16> bytes{};
  std::array<char, 33> text{};
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) return {};
  for (size_t i = 0; i < bytes.size(); i++) std::snprintf(&text[2 * i], 3, "%02x", bytes[i]);
  return text.data();
}

// The caller holds the lock. nullptr: the holder has let go.
Share* find(const Holder& holder) {
  const auto it = holder.holds ? table().find(holder.id) : table().end();
  return it == table().end() ? nullptr : &it->second;
}

// Takes a share that nobody holds out of the books; nothing where something is in the way. The caller holds the lock.
Table::node_type bow_out(Table::iterator entry) {
  const Share& share = entry->second;
  if (share.holders > 0 || share.moving || books().holds.used_in(share.start, share.end())) return {};
  books().ranges.erase(share.start, share.end());
  return table().extract(entry);
}

// It waits for others to end; meanwhile no view is made of it. The caller holds the lock.
void orphan(const Share& share) {
  orphans++;
  books().ranges.close(share.start, share.end());
}

Table::node_type next_to_go() {
  const Lock lock(books().lock);
  for (auto entry = table().begin(); entry != table().end(); ++entry) {
    if (Table::node_type ended = bow_out(entry)) {
      orphans--;
      return ended;
    }
  }
  return {};
}

// The caller does not hold the lock.
void give_back(const Table::node_type& ended) {
  const Share& share = ended.mapped();
  unmap(reinterpret_cast<void*>(share.start), share.end() - share.start);
  if (share.fd >= 0) close(share.fd);
}

}  // namespace

Result<Held> create(void* addr, size_t length, int fd, const std::string& about) {
  static uint64_t tags = 0;
  const auto start = reinterpret_cast<uintptr_t>(addr);
  const std::string id = random_id();
  if (id.empty()) return {.failure = fail(errno)};
  const Held held = std::make_shared<Holder>(id);
  const Lock lock(books().lock);
  Share share{.start = start, .length = length, .unit = books().ranges.unit_at(start), .fd = fd, .about = about, .holders = 1};
  if (share.unit == 0 || !books().ranges.covers(start, share.end())) {
    return {.failure = not_owned("memprobe did not map all of this range")};
  }
  for (const Range& part : books().ranges.within(start, share.end())) {
    if (part.share != 0) return {.failure = busy("a Mapping owns this memory already")};
  }
  // What can run out of memory comes first: a range whose share is not in the table would never go.
  books().ranges.cut(start, share.end());
  std::vector<Range> parts = books().ranges.within(start, share.end());
  share.tag = ++tags;
  table().emplace(id, share);
  for (Range& part : parts) {
    part.share = share.tag;
    books().ranges.assign(part);
  }
  return {.value = held};
}

Result<Held> attach(const std::string& id) {
  const Held held = std::make_shared<Holder>(id);
  const Lock lock(books().lock);
  const auto it = table().find(id);
  if (it == table().end() || it->second.holders == 0) return {.failure = stale()};
  if (it->second.moving) return {.failure = busy("another thread is resizing this mapping")};
  it->second.holders++;
  return {.value = held};
}

Result<Share> state(const Held& held) {
  const Lock lock(books().lock);
  const Share* share = find(*held);
  return share == nullptr ? Result<Share>{.failure = closed()} : Result<Share>{.value = *share};
}

bool faulted(const Held& held) {
  const Lock lock(books().lock);
  const Share* share = find(*held);
  return share != nullptr && books().ranges.faulted_in(share->start, share->end());
}

void let_go(napi_env env, const Held& held) noexcept {
  Table::node_type ended;
  {
    const Lock lock(books().lock);
    Share* share = find(*held);
    if (share == nullptr) return;
    held->holds = false;
    books().holds.detach(env, share->start, share->end());
    if (--share->holders > 0) return;
    ended = bow_out(table().find(held->id));
    if (!ended) orphan(*share);
  }
  if (ended) give_back(ended);
}

void retry() noexcept {
  while (orphans.load() > 0) {
    const Table::node_type ended = next_to_go();
    if (!ended) return;
    give_back(ended);
  }
}

Counts counts() { return {.shares = table().size(), .orphans = orphans.load()}; }

bool Resizes::enter(napi_env env, const Held& held, size_t length) {
  Lock lock(books().lock);
  Share* share = find(*held);
  if (share == nullptr) return refuse(closed());
  if (share->holders > 1) return refuse(busy("others hold this mapping too, and would not learn where it moves"));
  if (share->moving) return refuse(busy("this mapping is being resized already"));
  held_ = held;
  length_ = length;
  share_ = share->tag;
  share->moving = true;
  const Share now = *share;
  lock.unlock();
  if (Remaps::enter(env, reinterpret_cast<void*>(now.start), now.end() - now.start, length, MREMAP_MAYMOVE, {})) return true;
  lock.lock();
  if (Share* same = find(*held)) same->moving = false;
  return false;
}

int Resizes::leave(const Result<void*>& result, int failed) {
  const int overruled = Remaps::leave(result.value, failed);
  {
    const Lock lock(books().lock);
    const auto it = table().find(held_->id);
    if (it != table().end()) {
      it->second.moving = false;
      if (failed == 0) {
        it->second.start = reinterpret_cast<uintptr_t>(result.value);
        it->second.length = length_;
      }
    }
  }
  retry();
  return overruled;
}

}  // namespace memprobe::guard::shares
