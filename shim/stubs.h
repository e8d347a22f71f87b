/* The memory layout that stubs.S and arena.c share. Included by both, so only numbers here. */
#ifndef P11_STUBS_H
#define P11_STUBS_H

#define P11_ARENA_HANDLES 256  /* managed handles in one arena */
#define P11_STUB_SIZE     32   /* bytes of code per function */
#define P11_NUM_STUBS     104  /* functions in CK_FUNCTION_LIST_3_2 */
#define P11_CODE_STRIDE   (P11_NUM_STUBS * P11_STUB_SIZE)
#define P11_HANDLE_STRIDE 912  /* bytes of struct p11_handle */

#define P11_CODE_SIZE  ((P11_ARENA_HANDLES * P11_CODE_STRIDE + 4095) / 4096 * 4096)
#define P11_STATE_SIZE 4096    /* one state word per handle, and the fork marker */
#define P11_ENTRY_SIZE 4096    /* addresses of the managed functions */
#define P11_HANDLES_SIZE ((P11_ARENA_HANDLES * P11_HANDLE_STRIDE + 4095) / 4096 * 4096)
#define P11_DATA_SIZE  (P11_STATE_SIZE + P11_ENTRY_SIZE + P11_HANDLES_SIZE)

/* Slots of the entry table: the functions that a managed list does not simply pass on. */
#define P11_ENTRY_INITIALIZE         0
#define P11_ENTRY_FINALIZE           1
#define P11_ENTRY_GET_FUNCTION_LIST  2
#define P11_ENTRY_OPEN_SESSION       3
#define P11_ENTRY_CLOSE_SESSION      4
#define P11_ENTRY_CLOSE_ALL_SESSIONS 5
#define P11_ENTRY_GET_INTERFACE_LIST 6
#define P11_ENTRY_GET_INTERFACE      7
#define P11_NUM_ENTRIES              8

/* Where proxy.S finds things; internal.h asserts it. */
#define P11_PROXY_SESSIONS   832 /* in struct p11_proxy */
#define P11_PROXY_SLOTS      840
#define P11_SESSION_SIZE_LOG 5   /* of struct p11_session */
#define P11_SESSION_REAL     8
#define P11_SESSION_TABLE    16
#define P11_SLOTS_FIRST      32  /* in struct p11_slots */
#define P11_SLOT_SIZE_LOG    5   /* of struct p11_slot */
#define P11_SLOT_TABLE       8
#define P11_PLACE_MASK       0x3ffff /* the bits of a session handle that are its place */

#define P11_SLOT_ID_INVALID        0x3  /* CKR_SLOT_ID_INVALID */
#define P11_SESSION_HANDLE_INVALID 0xb3 /* CKR_SESSION_HANDLE_INVALID */
#define P11_NOT_PARALLEL           0x51 /* CKR_FUNCTION_NOT_PARALLEL (PKCS#11 3.2 §5.16) */
#define P11_NOT_INITIALIZED 0x190 /* CKR_CRYPTOKI_NOT_INITIALIZED */

#endif
