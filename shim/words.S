/*
 * Functions of tables that do not do the call themselves: each puts its
 * arguments into an array and goes on in C, with its place in the function list:
 *
 *	p11_log_functions     to p11_log_call (log.c)
 *	p11_remote_functions  to p11_remote_call (elsewhere.c)
 *
 * They are reached with the address of the table that they are in, which says for
 * whom the call is, in %rax: from the plain stubs of a handle (stubs.S), from the
 * functions of a proxy instance (proxy.S), and by p11_table_call.
 *
 * No function has more than ten arguments. Of a shorter one the words behind its
 * own are copied too, and mean nothing.
 */
#include "stubs.h"
#include "zfunctions.h"

#ifndef __x86_64__
#error "words.S is written for x86-64; another architecture needs its own"
#endif

	.section .text.p11_words, "ax", @progbits

	/* CK_RV p11_table_call(struct p11_table *table, int function, const uintptr_t words[10]) */
	.balign 16
	.globl	p11_table_call
	.hidden	p11_table_call
	.type	p11_table_call, @function
p11_table_call:
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
	.size	p11_table_call, . - p11_table_call

/* The common end of all functions of one table. */
.macro any kind
	.balign 16
	.type	\kind\()_any, @function
\kind\()_any:
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
	call	p11_\kind\()_call
	leave
	.cfi_def_cfa %rsp, 8
	ret
	.cfi_endproc
	.size	\kind\()_any, . - \kind\()_any
.endm

.macro function kind, index
	.balign 16
	.set	.L\kind\()_\index, .
	endbr64
	movl	$\index, %r10d
	jmp	\kind\()_any
.endm

.macro table kind
	.section .data.rel.ro.p11_words, "aw", @progbits
	.balign 8
	.globl	p11_\kind\()_functions
	.hidden	p11_\kind\()_functions
	.type	p11_\kind\()_functions, @object
p11_\kind\()_functions:
.endm

	any log
#define P11_FUNCTION(index, name, major, minor, parameters, arguments) function log, index;
P11_FUNCTIONS
#undef P11_FUNCTION

	any remote
#define P11_FUNCTION(index, name, major, minor, parameters, arguments) function remote, index;
P11_FUNCTIONS
#undef P11_FUNCTION

	table log
#define P11_FUNCTION(index, name, major, minor, parameters, arguments) .quad .Llog_##index;
P11_FUNCTIONS
#undef P11_FUNCTION
	.size	p11_log_functions, . - p11_log_functions

	table remote
#define P11_FUNCTION(index, name, major, minor, parameters, arguments) .quad .Lremote_##index;
P11_FUNCTIONS
#undef P11_FUNCTION
	.size	p11_remote_functions, . - p11_remote_functions

	.section .note.GNU-stack, "", @progbits
