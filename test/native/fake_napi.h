#pragma once

#include <node_api.h>

namespace fake {

struct Buffer {
  bool detached = false;
  int references = 0;

  napi_value value() { return reinterpret_cast<napi_value>(this); }
};

// Environments are told apart by their addresses alone.
inline char first;
inline char second;
inline const napi_env env = reinterpret_cast<napi_env>(&first);
inline const napi_env other = reinterpret_cast<napi_env>(&second);

}  // namespace fake
