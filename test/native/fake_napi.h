#pragma once

#include <node_api.h>

#include <thread>

namespace fake {

struct Buffer {
  bool detached = false;
  int references = 0;
  bool used = false;  // by an asynchronous call, which keeps it alive
  napi_finalize gone = nullptr;
  void* data = nullptr;

  napi_value value() { return reinterpret_cast<napi_value>(this); }
  void end_use() {
    used = false;
    gone(nullptr, data, nullptr);
  }
};

// The environments of the two addons on one thread.
inline char first;
inline const napi_env env = reinterpret_cast<napi_env>(&first);

// What another thread is told.
template <class Ask>
auto elsewhere(Ask ask) {
  decltype(ask()) answer{};
  std::thread([&] { answer = ask(); }).join();
  return answer;
}

}  // namespace fake
