// The module: every topic's rows become functions, in three objects.
//   { libc, unsafe, promises, constants, describe() }
#include <napi.h>

#include "topics.h"

namespace memprobe {
namespace {

void define(Napi::Object to, const bind::Entry& row, napi_callback callback) {
  if (callback == nullptr) return;
  napi_value function = nullptr;
  // The row outlives every environment: it is a constant.
  void* data = const_cast<bind::Entry*>(&row);
  if (napi_create_function(to.Env(), row.name, NAPI_AUTO_LENGTH, callback, data, &function) != napi_ok) return;
  to.Set(row.name, function);
}

Napi::Value describe_call(Napi::Env env, const bind::Topic& topic, const bind::Entry& row) {
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
Napi::Value describe(const Napi::CallbackInfo& info) {
  Napi::Array calls = Napi::Array::New(info.Env());
  for (const bind::Topic* topic : topics) {
    for (const bind::Entry& row : topic->calls) {
      calls.Set(calls.Length(), describe_call(info.Env(), *topic, row));
    }
  }
  return calls;
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  guard::blocks::join();
  Napi::Object libc = Napi::Object::New(env);
  Napi::Object unsafe = Napi::Object::New(env);
  Napi::Object promises = Napi::Object::New(env);
  Napi::Object constants = Napi::Object::New(env);
  for (const bind::Topic* topic : topics) {
    for (const bind::Entry& row : topic->calls) {
      define(libc, row, row.guarded);
      define(unsafe, row, row.unguarded);
      define(promises, row, row.promised);
    }
    for (const bind::Constant& constant : topic->constants) constants.Set(constant.name, constant.value);
  }
  exports.Set("libc", libc);
  exports.Set("unsafe", unsafe);
  exports.Set("promises", promises);
  exports.Set("constants", constants);
  exports.Set("describe", Napi::Function::New(env, describe, "describe"));
  return exports;
}

}  // namespace

NODE_API_MODULE(memprobe, init)

}  // namespace memprobe
