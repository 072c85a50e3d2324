// rooftrace-capture: the program of traces/capture/capture_main.cpp on the GPU.
#include "traces/capture/gpu.cu"
// After it, because both are sources:
#include "traces/capture/capture_main.cpp"
