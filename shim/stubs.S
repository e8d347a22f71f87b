/*
 * The code of managed function lists: one stub per handle and function.
 *
 * A plain stub reads its handle's state word. The word is the address of the
 * module's table of functions while the caller is initialized in this process,
 * and zero otherwise (never initialized, finalized, released, or a forked
 * child): then the answer is CKR_CRYPTOKI_NOT_INITIALIZED. The arguments stay
 * where the caller put them, so the jump costs about a nanosecond; %rax holds
 * the table's address on arrival, should the callee want to know for whom it
 * works.
 *
 * A managed stub adds the handle's address behind the function's own arguments
 * and enters the shim; in an arena that has been retired there is no entry any
 * more, and it too answers CKR_CRYPTOKI_NOT_INITIALIZED.
 *
 * Every stub reaches its data at a fixed distance, so arena.c can map the code
 * again from the library's file, beside fresh data, when more handles are
 * needed: no memory is ever writable and executable, and none is generated.
 */
#include "stubs.h"
#include "zfunctions.h"

#ifndef __x86_64__
#error "stubs.S is written for x86-64; another architecture needs its own stubs"
#endif

.macro plain index
	.balign P11_STUB_SIZE
	endbr64
	movq	p11_arena_state + 8 * .Lhandle(%rip), %rax
	testq	%rax, %rax
	je	1f
	jmpq	*(8 * \index)(%rax)
1:	movl	$P11_NOT_INITIALIZED, %eax
	ret
.endm

.macro managed entry, register
	.balign P11_STUB_SIZE
	endbr64
	leaq	p11_arena_handles + P11_HANDLE_STRIDE * .Lhandle(%rip), %\register
	movq	p11_arena_entries + 8 * \entry(%rip), %rax
	testq	%rax, %rax
	je	1f
	jmpq	*%rax
1:	movl	$P11_NOT_INITIALIZED, %eax
	ret
.endm

/* The register is the one after the function's last argument. */
.macro stub index, name
	.ifc \name, C_Initialize
	managed P11_ENTRY_INITIALIZE, rsi
	.else; .ifc \name, C_Finalize
	managed P11_ENTRY_FINALIZE, rsi
	.else; .ifc \name, C_GetFunctionList
	managed P11_ENTRY_GET_FUNCTION_LIST, rsi
	.else; .ifc \name, C_OpenSession
	managed P11_ENTRY_OPEN_SESSION, r9
	.else; .ifc \name, C_CloseSession
	managed P11_ENTRY_CLOSE_SESSION, rsi
	.else; .ifc \name, C_CloseAllSessions
	managed P11_ENTRY_CLOSE_ALL_SESSIONS, rsi
	.else; .ifc \name, C_GetInterfaceList
	managed P11_ENTRY_GET_INTERFACE_LIST, rdx
	.else; .ifc \name, C_GetInterface
	managed P11_ENTRY_GET_INTERFACE, r8
	.else
	plain \index
	.endif; .endif; .endif; .endif; .endif; .endif; .endif; .endif
.endm

#define P11_FUNCTION(index, name, major, minor, parameters, arguments) stub index, name;

.macro stubs
P11_FUNCTIONS
.endm

	.section .text.p11_arena, "ax", @progbits
	.balign 4096
	.globl	p11_arena_code
	.hidden	p11_arena_code
	.type	p11_arena_code, @object
p11_arena_code:
	.set	.Lhandle, 0
	.rept	P11_ARENA_HANDLES
	stubs
	.set	.Lhandle, .Lhandle + 1
	.endr
	.balign 4096
	.size	p11_arena_code, . - p11_arena_code

	/* One block: arena.c lays the same block beside every further mapping of the code. */
	.section .bss.p11_arena, "aw", @nobits
	.balign 4096
	.globl	p11_arena_state, p11_arena_entries, p11_arena_handles
	.hidden	p11_arena_state, p11_arena_entries, p11_arena_handles
	.type	p11_arena_state, @object
	.type	p11_arena_entries, @object
	.type	p11_arena_handles, @object
p11_arena_state:
	.skip	P11_STATE_SIZE
	.size	p11_arena_state, P11_STATE_SIZE
p11_arena_entries:
	.skip	P11_ENTRY_SIZE
	.size	p11_arena_entries, P11_ENTRY_SIZE
p11_arena_handles:
	.skip	P11_HANDLES_SIZE
	.size	p11_arena_handles, P11_HANDLES_SIZE

	.section .note.GNU-stack, "", @progbits
