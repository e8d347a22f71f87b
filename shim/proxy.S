/*
 * The functions of a proxy instance that act on a slot or a session: each puts
 * the module's own number in the place of the instance's and jumps on to the
 * module, the other arguments still where the caller put them. No lock is taken
 * and nothing is written.
 *
 * They are reached from the plain stubs of a handle (stubs.S), with the address
 * of the instance's struct p11_proxy in %rax.
 *
 * A session may be closed, and its place be given to another one, while we read:
 * real and table belong to the handle if it is there before and after they are
 * read, since x86-64 keeps the order of loads, and no handle comes back.
 */
#include "stubs.h"
#include "zfunctions.h"

#ifndef __x86_64__
#error "proxy.S is written for x86-64; another architecture needs its own"
#endif

.macro by_session index
	movl	%edi, %r10d
	andl	$P11_PLACE_MASK, %r10d
	shll	$P11_SESSION_SIZE_LOG, %r10d
	addq	P11_PROXY_SESSIONS(%rax), %r10
	cmpq	%rdi, (%r10)
	jne	p11_no_session
	movq	P11_SESSION_REAL(%r10), %r11
	movq	P11_SESSION_TABLE(%r10), %rax
	cmpq	%rdi, (%r10)
	jne	p11_no_session
	movq	%r11, %rdi
	jmpq	*(8 * \index)(%rax)
.endm

.macro by_slot index
	movq	P11_PROXY_SLOTS(%rax), %r10
	testq	%r10, %r10
	je	p11_no_slot
	cmpq	(%r10), %rdi
	jae	p11_no_slot
	movl	%edi, %r11d
	shlq	$P11_SLOT_SIZE_LOG, %r11
	addq	%r11, %r10
	movq	(P11_SLOTS_FIRST + P11_SLOT_TABLE)(%r10), %rax
	testq	%rax, %rax
	je	p11_no_slot
	movq	P11_SLOTS_FIRST(%r10), %rdi
	jmpq	*(8 * \index)(%rax)
.endm

/* The C functions of proxy.c get the instance behind the function's own arguments. */
.macro in_c function, register
	movq	%rax, %\register
	jmp	\function
.endm

.macro function index, name, kind
	.balign 16
	.set	.Lproxy_\index, .
	endbr64
	.ifc \name, C_GetInfo
	in_c p11_proxy_get_info, rsi
	.else; .ifc \name, C_GetSlotList
	in_c p11_proxy_get_slot_list, rcx
	.else; .ifc \name, C_WaitForSlotEvent
	in_c p11_proxy_wait_for_slot_event, rcx
	.else; .ifc \name, C_GetSessionInfo
	in_c p11_proxy_get_session_info, rdx
	.else; .ifc \name, C_GetFunctionStatus
	movl	$P11_NOT_PARALLEL, %eax
	ret
	.else; .ifc \name, C_CancelFunction
	movl	$P11_NOT_PARALLEL, %eax
	ret
	.else; .ifc \kind, session
	by_session \index
	.else; .ifc \kind, slot
	by_slot \index
	.else
	/* Managed: its stub does not come here. */
	movl	$P11_NOT_INITIALIZED, %eax
	ret
	.endif; .endif; .endif; .endif; .endif; .endif; .endif; .endif
.endm

	.section .text.p11_proxy, "ax", @progbits
	.balign 16
p11_no_session:
	movl	$P11_SESSION_HANDLE_INVALID, %eax
	ret
	.balign 16
p11_no_slot:
	movl	$P11_SLOT_ID_INVALID, %eax
	ret

#define P11_FIRST(index, name, kind) function index, name, kind;
P11_FIRSTS
#undef P11_FIRST

	.section .data.rel.ro.p11_proxy, "aw", @progbits
	.balign 8
	.globl	p11_proxy_functions
	.hidden	p11_proxy_functions
	.type	p11_proxy_functions, @object
p11_proxy_functions:
#define P11_FIRST(index, name, kind) .quad .Lproxy_##index;
P11_FIRSTS
#undef P11_FIRST
	.size	p11_proxy_functions, . - p11_proxy_functions

	.section .note.GNU-stack, "", @progbits
