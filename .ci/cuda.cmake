# cuda.cmake: the CUDA kernels, built for the emulator always and for devices where nvcc is found.

file(GLOB CUDA_KERNELS CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/kernels/cuda/device/*.cu)
file(GLOB EMULATOR_SOURCES CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/kernels/cuda/emulator/*.cpp)
list(FILTER EMULATOR_SOURCES EXCLUDE REGEX "/race\\.cpp$")

# ---- the emulator: each kernel file as a C++ file that includes it ----

# The path of a C++ file, in *out, that holds a kernel file (and first a header of its own, or "").
function(assay_emulated_file out kernel header)
  string(MAKE_C_IDENTIFIER ${kernel} stem)
  set(wrapper ${CMAKE_BINARY_DIR}/emulated/${stem}.cpp)
  set(include "")
  if(header)
    set(include "#include \"${header}\"\n")
  endif()
  file(CONFIGURE OUTPUT ${wrapper} @ONLY CONTENT
    "#include \"kernels/cuda/emulator/kernel_file.h\"\n${include}namespace KERNEL_SPACE {\n#include \"${kernel}\"\n}\n")
  set(${out} ${wrapper} PARENT_SCOPE)
endfunction()

foreach(kernel ${CUDA_KERNELS})
  file(RELATIVE_PATH kernel ${CMAKE_SOURCE_DIR} ${kernel})
  assay_emulated_file(wrapper ${kernel} "")
  list(APPEND EMULATED_KERNELS ${wrapper})
endforeach()
set(EMULATED_OPTIONS -O2 -fno-strict-aliasing -Wno-unknown-pragmas -Wno-unused-function)

add_library(assay_emulator OBJECT ${EMULATOR_SOURCES} ${EMULATED_KERNELS})
target_link_libraries(assay_emulator PRIVATE assay_flags)
target_compile_options(assay_emulator PRIVATE ${EMULATED_OPTIONS})
if(ASSAY_SANITIZE MATCHES thread)
  # fibers are no threads that this sanitizer knows
  target_compile_options(assay_emulator PRIVATE -fno-sanitize=thread)
endif()
target_sources(assay_kernels PRIVATE $<TARGET_OBJECTS:assay_emulator>)
set_target_properties(assay_kernels PROPERTIES LINKER_LANGUAGE CXX)
target_link_libraries(assay_kernels PRIVATE ${CMAKE_DL_LIBS})

# The kernels once more, every access to memory reported to our own race detector (for one test program).
if(NOT ASSAY_SANITIZE AND NOT ASSAY_FUZZ)
  add_library(assay_raced OBJECT EXCLUDE_FROM_ALL ${EMULATED_KERNELS})
  target_link_libraries(assay_raced PRIVATE assay_flags)
  target_compile_options(assay_raced PRIVATE ${EMULATED_OPTIONS} -fsanitize=thread)
  target_compile_definitions(assay_raced PRIVATE ASSAY_RACE=1)
  add_library(assay_race OBJECT EXCLUDE_FROM_ALL ${CMAKE_SOURCE_DIR}/kernels/cuda/emulator/race.cpp)
  target_link_libraries(assay_race PRIVATE assay_flags)
  target_compile_options(assay_race PRIVATE ${EMULATED_OPTIONS})
endif()

# ---- the library that assay trace puts into programs: needs no toolkit, and of ours only what it records with ----

file(GLOB INJECT_SOURCES CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/kernels/cuda/inject/*.c)
add_library(assay_inject SHARED ${INJECT_SOURCES} ${BASE_SOURCES} ${CMAKE_SOURCE_DIR}/kernels/activity.c ${CMAKE_SOURCE_DIR}/kernels/activity_file.c
  ${CMAKE_SOURCE_DIR}/kernels/cuda/recorder.c ${CMAKE_SOURCE_DIR}/kernels/cuda/library.c)
target_link_libraries(assay_inject PRIVATE assay_flags Threads::Threads ${CMAKE_DL_LIBS})
target_link_options(assay_inject PRIVATE -Wl,-z,nodelete) # NVTX may close it while our threads and handlers stay
set_target_properties(assay_inject PROPERTIES C_VISIBILITY_PRESET hidden)
if(NOT ASSAY_CUDA STREQUAL "OFF")
  find_path(ASSAY_TOOLKIT_HEADERS nvtx3/nvToolsExt.h HINTS ENV CUDA_HOME ENV CUDA_PATH PATHS /usr/local/cuda /opt/cuda PATH_SUFFIXES include)
endif()
if(ASSAY_TOOLKIT_HEADERS)
  add_library(assay_layout_check OBJECT ${CMAKE_SOURCE_DIR}/kernels/cuda/layout_check.c)
  target_include_directories(assay_layout_check SYSTEM PRIVATE ${ASSAY_TOOLKIT_HEADERS})
  target_link_libraries(assay_layout_check PRIVATE assay_flags)
endif()
install(TARGETS assay_inject LIBRARY DESTINATION lib/assay)

# ---- devices ----

set(ASSAY_HAS_CUDA OFF)
if(NOT ASSAY_CUDA STREQUAL "OFF")
  if(NOT CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX})
    find_program(ASSAY_NVCC nvcc HINTS ENV CUDA_HOME ENV CUDA_PATH PATHS /usr/local/cuda /opt/cuda PATH_SUFFIXES bin)
    if(ASSAY_NVCC)
      set(ENV{CUDACXX} ${ASSAY_NVCC}) # not the cache's variable: check_language then really tries it
    endif()
  endif()
  include(CheckLanguage)
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    set(CMAKE_CUDA_RUNTIME_LIBRARY Static)
    if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
      set(CMAKE_CUDA_ARCHITECTURES "80-real;90-real;90-virtual")
    endif()
    enable_language(CUDA)
    set_target_properties(assay_kernels PROPERTIES CUDA_ARCHITECTURES OFF) # made before; only holds objects that others compile
    find_package(CUDAToolkit REQUIRED)
    if(CUDAToolkit_VERSION VERSION_LESS 12.6)
      message(STATUS "CUDA ${CUDAToolkit_VERSION} is older than 12.6: the cuda backend is left out")
    else()
      set(ASSAY_HAS_CUDA ON)
    endif()
  endif()
  if(ASSAY_CUDA STREQUAL "ON" AND NOT ASSAY_HAS_CUDA)
    message(FATAL_ERROR "ASSAY_CUDA=ON, but no working nvcc of CUDA 12.6 or later was found")
  endif()
endif()

if(ASSAY_HAS_CUDA)
  add_library(assay_cuda_device OBJECT ${CUDA_KERNELS})
  file(GLOB HOPPER_KERNELS CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/kernels/cuda/hopper/*.cu)
  add_library(assay_cuda_hopper OBJECT ${HOPPER_KERNELS})
  set_target_properties(assay_cuda_hopper PROPERTIES CUDA_ARCHITECTURES 90a-real)
  foreach(target assay_cuda_device assay_cuda_hopper)
    target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR})
    set_target_properties(${target} PROPERTIES CUDA_COMPILER_LAUNCHER "sh;${CMAKE_SOURCE_DIR}/.ci/ptxas.sh")
    target_compile_features(${target} PRIVATE cuda_std_17)
    target_compile_options(${target} PRIVATE -lineinfo -Werror=all-warnings -Xptxas=-v,-warn-spills,-warn-lmem-usage
      -diag-suppress=177,186 -Xcompiler=-fno-strict-aliasing)
  endforeach()
  target_sources(assay_kernels PRIVATE $<TARGET_OBJECTS:assay_cuda_device> $<TARGET_OBJECTS:assay_cuda_hopper> ${CMAKE_SOURCE_DIR}/kernels/cuda/runtime_device.c)
  set_source_files_properties(${CMAKE_SOURCE_DIR}/kernels/cuda/runtime_device.c PROPERTIES INCLUDE_DIRECTORIES "${CUDAToolkit_INCLUDE_DIRS}"
    COMPILE_OPTIONS "-Wno-pedantic;-Wno-conversion")
  target_link_libraries(assay_kernels PRIVATE CUDA::cudart_static)
else()
  target_sources(assay_kernels PRIVATE ${CMAKE_SOURCE_DIR}/kernels/cuda/no_device.c)
endif()
message(STATUS "kernels for NVIDIA GPUs: ${ASSAY_HAS_CUDA}")
