/* layout_check.c: our declarations of NVTX, CUPTI and cuBLASLt against the toolkit's own headers, where they are at hand. Compiles,
 * or does not; nothing of it runs. */
#include <nvtx3/nvToolsExt.h>

#include <stdint.h>

#include "kernels/cuda/blaslt.h"
#include "kernels/cuda/cupti.h"
#include "kernels/cuda/nvtx.h"

#define SAME(ours, theirs) _Static_assert((long)(ours) == (long)(theirs), #ours " is " #theirs)
#define SAME_PLACE(our_type, ours, their_type, theirs) \
    SAME(offsetof(our_type, ours), offsetof(their_type, theirs)); \
    SAME(sizeof(((our_type *)0)->ours), sizeof(((their_type *)0)->theirs))

/* ---- NVTX ---- */

SAME(NVTX_TABLE_CALLBACKS, NVTX_ETID_CALLBACKS);
SAME(NVTX_TABLE_VERSION, NVTX_ETID_VERSIONINFO);
SAME(NVTX_API_VERSION, NVTX_VERSION);
SAME(NVTX_MODULE_CORE, NVTX_CB_MODULE_CORE);
SAME(NVTX_MODULE_CUDA, NVTX_CB_MODULE_CUDA);
SAME(NVTX_MODULE_OPENCL, NVTX_CB_MODULE_OPENCL);
SAME(NVTX_MODULE_CUDART, NVTX_CB_MODULE_CUDART);
SAME(NVTX_MODULE_CORE2, NVTX_CB_MODULE_CORE2);
SAME(NVTX_MODULE_SYNC, NVTX_CB_MODULE_SYNC);
SAME(NVTX_MODULES, NVTX_CB_MODULE_SIZE);
SAME(NVTX_CUDA_SLOTS, NVTX_CBID_CUDA_SIZE);
SAME(NVTX_OPENCL_SLOTS, NVTX_CBID_OPENCL_SIZE);
SAME(NVTX_CUDART_SLOTS, NVTX_CBID_CUDART_SIZE);
SAME(NVTX_SYNC_SLOTS, NVTX_CBID_SYNC_SIZE);
SAME(NVTX_START_EX, NVTX_CBID_CORE_RangeStartEx);
SAME(NVTX_START_A, NVTX_CBID_CORE_RangeStartA);
SAME(NVTX_START_W, NVTX_CBID_CORE_RangeStartW);
SAME(NVTX_END, NVTX_CBID_CORE_RangeEnd);
SAME(NVTX_PUSH_EX, NVTX_CBID_CORE_RangePushEx);
SAME(NVTX_PUSH_A, NVTX_CBID_CORE_RangePushA);
SAME(NVTX_PUSH_W, NVTX_CBID_CORE_RangePushW);
SAME(NVTX_POP, NVTX_CBID_CORE_RangePop);
SAME(NVTX_CORE_SLOTS, NVTX_CBID_CORE_SIZE);
SAME(NVTX_DOMAIN_START_EX, NVTX_CBID_CORE2_DomainRangeStartEx);
SAME(NVTX_DOMAIN_END, NVTX_CBID_CORE2_DomainRangeEnd);
SAME(NVTX_DOMAIN_PUSH_EX, NVTX_CBID_CORE2_DomainRangePushEx);
SAME(NVTX_DOMAIN_POP, NVTX_CBID_CORE2_DomainRangePop);
SAME(NVTX_DOMAIN_REGISTER_A, NVTX_CBID_CORE2_DomainRegisterStringA);
SAME(NVTX_DOMAIN_REGISTER_W, NVTX_CBID_CORE2_DomainRegisterStringW);
SAME(NVTX_DOMAIN_CREATE_A, NVTX_CBID_CORE2_DomainCreateA);
SAME(NVTX_DOMAIN_CREATE_W, NVTX_CBID_CORE2_DomainCreateW);
SAME(NVTX_CORE2_SLOTS, NVTX_CBID_CORE2_SIZE);
SAME(NVTX_MESSAGE_NONE, NVTX_MESSAGE_UNKNOWN);
SAME(NVTX_MESSAGE_TEXT, NVTX_MESSAGE_TYPE_ASCII);
SAME(NVTX_MESSAGE_WIDE, NVTX_MESSAGE_TYPE_UNICODE);
SAME(NVTX_MESSAGE_REGISTERED, NVTX_MESSAGE_TYPE_REGISTERED);
SAME(NVTX_NOT_COUNTED, NVTX_NO_PUSH_POP_TRACKING);
SAME(sizeof(struct nvtx_attributes), sizeof(nvtxEventAttributes_t));
SAME_PLACE(struct nvtx_attributes, version, nvtxEventAttributes_t, version);
SAME_PLACE(struct nvtx_attributes, bytes, nvtxEventAttributes_t, size);
SAME_PLACE(struct nvtx_attributes, message_kind, nvtxEventAttributes_t, messageType);
SAME_PLACE(struct nvtx_attributes, message, nvtxEventAttributes_t, message);
SAME(sizeof(struct nvtx_callbacks), sizeof(NvtxExportTableCallbacks));
SAME_PLACE(struct nvtx_callbacks, bytes, NvtxExportTableCallbacks, struct_size);
SAME_PLACE(struct nvtx_callbacks, slots_of, NvtxExportTableCallbacks, GetModuleFunctionTable);
SAME(sizeof(struct nvtx_version_info), sizeof(NvtxExportTableVersionInfo));
SAME_PLACE(struct nvtx_version_info, version, NvtxExportTableVersionInfo, version);
SAME_PLACE(struct nvtx_version_info, tool_version, NvtxExportTableVersionInfo, SetInjectionNvtxVersion);
SAME(sizeof(nvtxRangeId_t), sizeof(uint64_t));

/* ---- CUPTI ---- */

#if __has_include(<cupti.h>)
#include <cupti.h>
#endif
#if defined(CUPTI_API_VERSION) && CUPTI_API_VERSION >= 130000 /* before, records went by other names */

SAME(CUPTI_OK, CUPTI_SUCCESS);
SAME(CUPTI_END, CUPTI_ERROR_MAX_LIMIT_REACHED);
SAME(CUPTI_NO_PRIVILEGES, CUPTI_ERROR_INSUFFICIENT_PRIVILEGES);
SAME(CUPTI_OTHER_SUBSCRIBER, CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED);
SAME(CUPTI_COPY, CUPTI_ACTIVITY_KIND_MEMCPY);
SAME(CUPTI_SET, CUPTI_ACTIVITY_KIND_MEMSET);
SAME(CUPTI_KERNEL, CUPTI_ACTIVITY_KIND_KERNEL);
SAME(CUPTI_DRIVER, CUPTI_ACTIVITY_KIND_DRIVER);
SAME(CUPTI_RUNTIME, CUPTI_ACTIVITY_KIND_RUNTIME);
SAME(CUPTI_DEVICE, CUPTI_ACTIVITY_KIND_DEVICE);
SAME(CUPTI_CONCURRENT_KERNEL, CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL);
SAME(CUPTI_OVERHEAD, CUPTI_ACTIVITY_KIND_OVERHEAD);
SAME(CUPTI_SYNCHRONIZATION, CUPTI_ACTIVITY_KIND_SYNCHRONIZATION);
SAME(CUPTI_EXTERNAL, CUPTI_ACTIVITY_KIND_EXTERNAL_CORRELATION);
SAME(CUPTI_GRAPH, CUPTI_ACTIVITY_KIND_GRAPH_TRACE);
SAME(CUPTI_EXTERNAL_CUSTOM0, CUPTI_EXTERNAL_CORRELATION_KIND_CUSTOM0);
SAME(CUPTI_FLUSH_FORCED, CUPTI_ACTIVITY_FLAG_FLUSH_FORCED);
SAME(CUPTI_ATTRIBUTE_ZEROED, CUPTI_ACTIVITY_ATTR_ZEROED_OUT_ACTIVITY_BUFFER);
SAME(CUPTI_DOMAIN_DRIVER, CUPTI_CB_DOMAIN_DRIVER_API);
SAME(CUPTI_DOMAIN_RUNTIME, CUPTI_CB_DOMAIN_RUNTIME_API);
SAME(CUPTI_DOMAIN_RESOURCE, CUPTI_CB_DOMAIN_RESOURCE);
SAME(CUPTI_NODE_CREATED, CUPTI_CBID_RESOURCE_GRAPHNODE_CREATED);
SAME(CUPTI_NODE_CLONED, CUPTI_CBID_RESOURCE_GRAPHNODE_CLONED);

/* Later versions grow records at their end; these names stay. */
#define KERNEL CUpti_ActivityKernel10
SAME_PLACE(struct cupti_kernel_record, start, KERNEL, start);
SAME_PLACE(struct cupti_kernel_record, end, KERNEL, end);
SAME_PLACE(struct cupti_kernel_record, device, KERNEL, deviceId);
SAME_PLACE(struct cupti_kernel_record, stream, KERNEL, streamId);
SAME_PLACE(struct cupti_kernel_record, correlation, KERNEL, correlationId);
SAME_PLACE(struct cupti_kernel_record, name, KERNEL, name);
SAME_PLACE(struct cupti_kernel_record, node, KERNEL, graphNodeId);
#define COPY CUpti_ActivityMemcpy6
SAME_PLACE(struct cupti_copy_record, copy_kind, COPY, copyKind);
SAME_PLACE(struct cupti_copy_record, bytes, COPY, bytes);
SAME_PLACE(struct cupti_copy_record, start, COPY, start);
SAME_PLACE(struct cupti_copy_record, end, COPY, end);
SAME_PLACE(struct cupti_copy_record, device, COPY, deviceId);
SAME_PLACE(struct cupti_copy_record, stream, COPY, streamId);
SAME_PLACE(struct cupti_copy_record, correlation, COPY, correlationId);
SAME_PLACE(struct cupti_copy_record, node, COPY, graphNodeId);
#define SET CUpti_ActivityMemset4
SAME_PLACE(struct cupti_set_record, bytes, SET, bytes);
SAME_PLACE(struct cupti_set_record, start, SET, start);
SAME_PLACE(struct cupti_set_record, end, SET, end);
SAME_PLACE(struct cupti_set_record, device, SET, deviceId);
SAME_PLACE(struct cupti_set_record, stream, SET, streamId);
SAME_PLACE(struct cupti_set_record, correlation, SET, correlationId);
SAME_PLACE(struct cupti_set_record, node, SET, graphNodeId);
SAME(sizeof(struct cupti_call_record), sizeof(CUpti_ActivityAPI));
SAME_PLACE(struct cupti_call_record, callback, CUpti_ActivityAPI, cbid);
SAME_PLACE(struct cupti_call_record, start, CUpti_ActivityAPI, start);
SAME_PLACE(struct cupti_call_record, end, CUpti_ActivityAPI, end);
SAME_PLACE(struct cupti_call_record, thread, CUpti_ActivityAPI, threadId);
SAME_PLACE(struct cupti_call_record, correlation, CUpti_ActivityAPI, correlationId);
SAME(sizeof(struct cupti_external_record), sizeof(CUpti_ActivityExternalCorrelation));
SAME_PLACE(struct cupti_external_record, external_kind, CUpti_ActivityExternalCorrelation, externalKind);
SAME_PLACE(struct cupti_external_record, id, CUpti_ActivityExternalCorrelation, externalId);
SAME_PLACE(struct cupti_external_record, correlation, CUpti_ActivityExternalCorrelation, correlationId);
#define DEVICE CUpti_ActivityDevice5
SAME_PLACE(struct cupti_device_record, device, DEVICE, id);
SAME_PLACE(struct cupti_device_record, uuid, DEVICE, uuid);
SAME_PLACE(struct cupti_device_record, name, DEVICE, name);
#define GRAPH CUpti_ActivityGraphTrace2
SAME_PLACE(struct cupti_graph_record, correlation, GRAPH, correlationId);
SAME_PLACE(struct cupti_graph_record, start, GRAPH, start);
SAME_PLACE(struct cupti_graph_record, end, GRAPH, end);
SAME_PLACE(struct cupti_graph_record, device, GRAPH, deviceId);
SAME_PLACE(struct cupti_graph_record, stream, GRAPH, streamId);
SAME_PLACE(struct cupti_graph_data, node, CUpti_GraphData, node);
SAME_PLACE(struct cupti_graph_data, original_node, CUpti_GraphData, originalNode);
SAME_PLACE(struct cupti_resource_data, descriptor, CUpti_ResourceData, resourceDescriptor);
#endif

/* ---- cuBLASLt ---- */

#if __has_include(<cublasLt.h>)
#include <cublasLt.h>

SAME(BLASLT_F32, CUDA_R_32F);
SAME(BLASLT_F16, CUDA_R_16F);
SAME(BLASLT_BF16, CUDA_R_16BF);
SAME(BLASLT_COMPUTE_F32, CUBLAS_COMPUTE_32F);
SAME(BLASLT_DESC_TRANSPOSE_A, CUBLASLT_MATMUL_DESC_TRANSA);
SAME(BLASLT_DESC_TRANSPOSE_B, CUBLASLT_MATMUL_DESC_TRANSB);
SAME(BLASLT_DESC_EPILOGUE, CUBLASLT_MATMUL_DESC_EPILOGUE);
SAME(BLASLT_DESC_BIAS, CUBLASLT_MATMUL_DESC_BIAS_POINTER);
SAME(BLASLT_PLAIN, CUBLAS_OP_N);
SAME(BLASLT_TRANSPOSED, CUBLAS_OP_T);
SAME(BLASLT_EPILOGUE_NONE, CUBLASLT_EPILOGUE_DEFAULT);
SAME(BLASLT_EPILOGUE_BIAS, CUBLASLT_EPILOGUE_BIAS);
SAME(BLASLT_PREFERENCE_WORKSPACE, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES);
SAME(sizeof(struct blaslt_algorithm), sizeof(cublasLtMatmulAlgo_t));
SAME(sizeof(struct blaslt_candidate), sizeof(cublasLtMatmulHeuristicResult_t));
SAME_PLACE(struct blaslt_candidate, workspace_bytes, cublasLtMatmulHeuristicResult_t, workspaceSize);
SAME_PLACE(struct blaslt_candidate, status, cublasLtMatmulHeuristicResult_t, state);
SAME_PLACE(struct blaslt_candidate, waves, cublasLtMatmulHeuristicResult_t, wavesCount);
#endif
