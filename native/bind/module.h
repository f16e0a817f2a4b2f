// How an addon's tables become JavaScript: objects of functions and constants, and describe().
#pragma once

#include <napi.h>

#include "bind.h"

namespace memprobe::bind {

using Topics = std::span<const Topic* const>;

inline void define(Napi::Object to, const Entry& row, napi_callback callback) {
  if (callback == nullptr) return;
  napi_value function = nullptr;
  // The row outlives every environment: it is a constant.
  void* data = const_cast<Entry*>(&row);
  if (napi_create_function(to.Env(), row.name, NAPI_AUTO_LENGTH, callback, data, &function) != napi_ok) return;
  to.Set(row.name, function);
}

inline Napi::Object functions(Napi::Env env, Topics topics, napi_callback Entry::*form) {
  Napi::Object object = Napi::Object::New(env);
  for (const Topic* topic : topics) {
    for (const Entry& row : topic->calls) define(object, row, row.*form);
  }
  return object;
}

inline Napi::Object constants(Napi::Env env, Topics topics) {
  Napi::Object object = Napi::Object::New(env);
  for (const Topic* topic : topics) {
    for (const Constant& constant : topic->constants) object.Set(constant.name, constant.value);
  }
  return object;
}

inline Napi::Value describe_call(Napi::Env env, const Topic& topic, const Entry& row) {
  Napi::Object call = Napi::Object::New(env);
  call.Set("topic", topic.name);
  if (topic.header != nullptr) call.Set("header", topic.header);
  call.Set("name", row.name);
  call.Set("signature", row.signature(row.params, false));
  if (row.promised != nullptr) call.Set("promise", row.signature(row.params, true));
  if (row.needs != nullptr) call.Set("since", row.needs);
  call.Set("guarded", row.checked);
  return call;
}

// What scripts/generate-types makes the declarations of.
inline Napi::Array describe(Napi::Env env, Topics topics) {
  Napi::Array calls = Napi::Array::New(env);
  for (const Topic* topic : topics) {
    for (const Entry& row : topic->calls) calls.Set(calls.Length(), describe_call(env, *topic, row));
  }
  return calls;
}

}  // namespace memprobe::bind
