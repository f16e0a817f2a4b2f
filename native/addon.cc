// The module: every topic's rows become functions, in three objects.
//   { libc, unsafe, promises, constants, describe() }
#include "bind/module.h"
#include "topics.h"

namespace memprobe {
namespace {

Napi::Value describe(const Napi::CallbackInfo& info) { return bind::describe(info.Env(), topics); }

Napi::Object init(Napi::Env env, Napi::Object exports) {
  guard::blocks::join();
  exports.Set("libc", bind::functions(env, topics, &bind::Entry::guarded));
  exports.Set("unsafe", bind::functions(env, topics, &bind::Entry::unguarded));
  exports.Set("promises", bind::functions(env, topics, &bind::Entry::promised));
  exports.Set("constants", bind::constants(env, topics));
  exports.Set("describe", Napi::Function::New(env, describe, "describe"));
  return exports;
}

}  // namespace

NODE_API_MODULE(memprobe, init)

}  // namespace memprobe
