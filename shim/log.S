/*
 * The functions of a log's table: each puts its arguments into an array and goes
 * to p11_log_call, which makes the call with them in p11_log_next.
 *
 * They are reached with the address of the table, which is the log's, in %rax:
 * from the plain stubs of a handle (stubs.S), and from the functions of a proxy
 * instance (proxy.S), which take it for the module's.
 *
 * No function has more than ten arguments. Of a shorter one the words behind its
 * own are copied too, and mean nothing.
 */
#include "stubs.h"
#include "zfunctions.h"

#ifndef __x86_64__
#error "log.S is written for x86-64; another architecture needs its own"
#endif

	.section .text.p11_log, "ax", @progbits

	.balign 16
	.type	log_any, @function
log_any:
	.cfi_startproc
	pushq	%rbp
	.cfi_def_cfa_offset 16
	.cfi_offset %rbp, -16
	movq	%rsp, %rbp
	.cfi_def_cfa_register %rbp
	subq	$80, %rsp
	movq	%rdi, (%rsp)
	movq	%rsi, 8(%rsp)
	movq	%rdx, 16(%rsp)
	movq	%rcx, 24(%rsp)
	movq	%r8, 32(%rsp)
	movq	%r9, 40(%rsp)
	movups	16(%rbp), %xmm0
	movups	32(%rbp), %xmm1
	movups	%xmm0, 48(%rsp)
	movups	%xmm1, 64(%rsp)
	movq	%rax, %rdi
	movl	%r10d, %esi
	movq	%rsp, %rdx
	call	p11_log_call
	leave
	.cfi_def_cfa %rsp, 8
	ret
	.cfi_endproc
	.size	log_any, . - log_any

	/* CK_RV p11_log_next(struct p11_table *table, int function, const uintptr_t words[10]) */
	.balign 16
	.globl	p11_log_next
	.hidden	p11_log_next
	.type	p11_log_next, @function
p11_log_next:
	.cfi_startproc
	endbr64
	pushq	%rbp
	.cfi_def_cfa_offset 16
	.cfi_offset %rbp, -16
	movq	%rsp, %rbp
	.cfi_def_cfa_register %rbp
	subq	$32, %rsp
	movq	%rdi, %rax
	movslq	%esi, %rsi
	movq	(%rax, %rsi, 8), %r11
	movq	%rdx, %r10
	movups	48(%r10), %xmm0
	movups	64(%r10), %xmm1
	movups	%xmm0, (%rsp)
	movups	%xmm1, 16(%rsp)
	movq	(%r10), %rdi
	movq	8(%r10), %rsi
	movq	16(%r10), %rdx
	movq	24(%r10), %rcx
	movq	32(%r10), %r8
	movq	40(%r10), %r9
	call	*%r11
	leave
	.cfi_def_cfa %rsp, 8
	ret
	.cfi_endproc
	.size	p11_log_next, . - p11_log_next

.macro function index
	.balign 16
	.set	.Llog_\index, .
	endbr64
	movl	$\index, %r10d
	jmp	log_any
.endm

#define P11_FUNCTION(index, name, major, minor, parameters, arguments) function index;
P11_FUNCTIONS
#undef P11_FUNCTION

	.section .data.rel.ro.p11_log, "aw", @progbits
	.balign 8
	.globl	p11_log_functions
	.hidden	p11_log_functions
	.type	p11_log_functions, @object
p11_log_functions:
#define P11_FUNCTION(index, name, major, minor, parameters, arguments) .quad .Llog_##index;
P11_FUNCTIONS
#undef P11_FUNCTION
	.size	p11_log_functions, . - p11_log_functions

	.section .note.GNU-stack, "", @progbits
