// The second module, linked with libnuma. memprobe.node is loaded first: both share the guard's books.
//   { libnuma, unsafe, constants, masks, Bitmask, describe() }
#include "../bind/module.h"
#include "complaints.h"
#include "topics.h"

namespace memprobe::numa {
namespace {

Napi::Value describe(const Napi::CallbackInfo& info) { return bind::describe(info.Env(), topics); }

bitmask* copy_of(const bitmask* mask) {
  bitmask* copy = numa_bitmask_alloc(static_cast<unsigned>(mask->size));
  copy_bitmask_to_bitmask(const_cast<bitmask*>(mask), copy);
  return copy;
}

bitmask* copy_of(nodemask_t* mask) {
  bitmask* copy = numa_bitmask_alloc(NUMA_NUM_NODES);
  copy_nodemask_to_bitmask(mask, copy);
  return copy;
}

// libnuma notes each node's cpus when it is first asked for them, without a lock: before a second thread can ask.
void note_cpus() {
  [[maybe_unused]] static const bool noted = [] {
    bitmask* cpus = numa_allocate_cpumask();
    for (int node = 0; node <= numa_max_node(); node++) {
      if (is_node(static_cast<size_t>(node))) numa_node_to_cpus(node, cpus);
    }
    numa_bitmask_free(cpus);
    complaints().clear();
    return true;
  }();
}

// libnuma's variables, as they were when it was loaded.
Napi::Object masks(Napi::Env env) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("numa_all_nodes_ptr", wrap(env, copy_of(numa_all_nodes_ptr), true));
  object.Set("numa_nodes_ptr", wrap(env, copy_of(numa_nodes_ptr), true));
  object.Set("numa_no_nodes_ptr", wrap(env, copy_of(numa_no_nodes_ptr), true));
  object.Set("numa_all_cpus_ptr", wrap(env, copy_of(numa_all_cpus_ptr), true));
  object.Set("numa_all_nodes", wrap(env, copy_of(&numa_all_nodes), true));
  object.Set("numa_no_nodes", wrap(env, copy_of(&numa_no_nodes), true));
  return object;
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  napi_value bitmask_class = define_class(env);
  if (bitmask_class == nullptr) return exports;  // the worker that loads this is being terminated
  note_cpus();
  exports.Set("Bitmask", bitmask_class);
  exports.Set("libnuma", bind::functions(env, topics, &bind::Entry::guarded));
  exports.Set("unsafe", bind::functions(env, topics, &bind::Entry::unguarded));
  exports.Set("constants", bind::constants(env, topics));
  exports.Set("masks", masks(env));
  exports.Set("describe", Napi::Function::New(env, describe, "describe"));
  return exports;
}

}  // namespace

NODE_API_MODULE(memprobe_numa, init)

}  // namespace memprobe::numa
