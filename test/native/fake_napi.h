#pragma once

#include <node_api.h>

#include <thread>

namespace fake {

struct Buffer {
  bool detached = false;
  int references = 0;

  napi_value value() { return reinterpret_cast<napi_value>(this); }
};

// The environments of the two addons on one thread.
inline char first;
inline char second;
inline const napi_env env = reinterpret_cast<napi_env>(&first);
inline const napi_env other = reinterpret_cast<napi_env>(&second);

// What another thread is told.
template <class Ask>
auto elsewhere(Ask ask) {
  decltype(ask()) answer{};
  std::thread([&] { answer = ask(); }).join();
  return answer;
}

}  // namespace fake
