// Stands for a libtandem_cuda that was built from other sources than the program that loads it.
extern "C" {
const char* tandem_cuda_build_id() { return "0123456789abcdef"; }
// It is never called: it would make an engine whose classes the program does not know.
void* tandem_cuda_create_engine() { return nullptr; }
}
