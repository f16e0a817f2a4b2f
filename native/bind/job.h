// A call on the thread pool and the promise for it.
#pragma once

#include <napi.h>

#include <memory>

#include "js.h"

namespace memprobe::bind {

class Job : public Napi::AsyncWorker {
 public:
  // Queues a job that is ready; one that is not has left an exception, which becomes the promise's rejection.
  static napi_value start(std::unique_ptr<Job> job, bool ready) {
    const Napi::Promise promise = job->deferred_.Promise();
    if (ready) {
      job.release()->Queue();  // deletes itself when it has run
    } else {
      job->reject(job->Env().GetAndClearPendingException().Value());
    }
    return promise;
  }

 protected:
  Job(napi_env env, js::Arguments argv, size_t count)
      : Napi::AsyncWorker(env), deferred_(Napi::Promise::Deferred::New(env)) {
    Napi::Array kept = Napi::Array::New(env, count);
    for (uint32_t i = 0; i < count; i++) kept.Set(i, argv[i]);
    arguments_ = Napi::Persistent(kept.As<Napi::Object>());
    count_ = count;
  }

  // Resolves or rejects, on the JavaScript thread.
  virtual void settle(js::Arguments argv) = 0;

  void resolve(napi_value value) {
    if (Env().IsExceptionPending()) return reject(Env().GetAndClearPendingException().Value());
    deferred_.Resolve(value != nullptr ? Napi::Value(Env(), value) : Env().Undefined());
  }
  void reject(napi_value error) { deferred_.Reject(error); }

 private:
  void OnOK() override {
    std::vector<napi_value> argv(count_ + 1);
    for (uint32_t i = 0; i < count_; i++) argv[i] = arguments_.Get(i);
    settle(argv.data());
  }

  Napi::Promise::Deferred deferred_;
  Napi::ObjectReference arguments_;  // the caller's buffers live until the result is written into them
  size_t count_ = 0;
};

}  // namespace memprobe::bind
