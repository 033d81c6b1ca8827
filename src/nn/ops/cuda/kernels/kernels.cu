// Every kernel of ours, compiled to PTX by build.rs.
#include "norm.cuh"
#include "training.cuh"
#include "window.cuh"
