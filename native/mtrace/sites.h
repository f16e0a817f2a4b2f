// The call sites of a log, each kept once.
#pragma once

#include <cstdint>
#include <cstring>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace memprobe::mtrace {

// The number of calls without a known caller.
inline constexpr uint32_t kNoSite = 0;

class Sites {
 public:
  // The number of the site that `text` begins with, if it is one of the two that are likely. Programs allocate in
  // loops: the guess is right nearly always, and saves looking for the site's end.
  uint32_t guess(std::string_view text) {
    const auto [next, other] = followers_[last_];
    if (begins_with(text, next)) return last_ = next;
    return begins_with(text, other) ? last_ = other : kNoSite;
  }

  // The number of what `guess` did not know.
  uint32_t find(std::string_view site) {
    const auto known = numbers_.find(site);
    const uint32_t number = known != numbers_.end() ? known->second : add(site);
    followers_[last_] = {number, followers_[last_].next};
    return last_ = number;
  }

  const std::string& text(uint32_t number) const { return texts_[number]; }
  // How many there are, kNoSite included.
  uint32_t count() const { return static_cast<uint32_t>(texts_.size()); }

 private:
  // Which site came after this one the last time, and another one that came before that.
  struct Followers {
    uint32_t next = kNoSite;
    uint32_t other = kNoSite;
  };

  bool begins_with(std::string_view text, uint32_t number) const {
    return number != kNoSite && text.starts_with(texts_[number]);
  }

  uint32_t add(std::string_view site) {
    const uint32_t number = count();
    numbers_.emplace(texts_.emplace_back(site), number);
    followers_.emplace_back();
    return number;
  }

  std::deque<std::string> texts_ = {""};  // whose elements never move
  std::unordered_map<std::string_view, uint32_t> numbers_ = {};
  std::vector<Followers> followers_ = {{}};
  uint32_t last_ = kNoSite;
};

}  // namespace memprobe::mtrace
