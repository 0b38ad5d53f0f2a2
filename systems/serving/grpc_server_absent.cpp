#include "systems/serving/grpc_server.hpp"

namespace tandem::serving {

std::unique_ptr<GrpcServer> GrpcServer::start(const http::Endpoint& /*endpoint*/,
                                              ServingContext& /*context*/,
                                              std::size_t /*max_message*/,
                                              http::Tokens /*tokens*/) {
  throw InputError(option("grpc") +
                   ": this build has no gRPC; install libgrpc++-dev and protobuf-compiler-grpc and "
                   "build again, or leave it out");
}

}  // namespace tandem::serving
