// What `tandem serve --demo` serves: two versions of a model, and clients that ask for answers.
#pragma once

#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace tandem::program {

class ServeDemo {
 public:
  // Trains two versions on a data set that comes with the program and registers them in `folder`;
  // an empty one is a temporary folder, which goes with this object.
  explicit ServeDemo(std::string folder);
  // Ends the clients.
  ~ServeDemo();
  ServeDemo(const ServeDemo&) = delete;
  ServeDemo& operator=(const ServeDemo&) = delete;

  [[nodiscard]] const std::string& folder() const noexcept { return folder_; }
  // What can be tried at this address, for a person.
  [[nodiscard]] std::string commands(const std::string& url) const;
  // From now on some fifty rows a second are asked about, until the server stops.
  void start_clients(const std::string& url);

 private:
  void ask(const std::string& place);

  std::string folder_;
  bool temporary_ = false;
  std::vector<std::string> rows_;  // of the test part, as a request's body has them
  std::atomic<bool> stopping_{false};
  std::thread clients_;
};

}  // namespace tandem::program
