/* CPUID tells what the processor can do, XCR0 which registers the operating system saves
 * on a switch.  Under a hypervisor the first is often true without the second, and the
 * first wide instruction then faults. */
#include "base/cpu.h"

#if defined(__x86_64__)

#include <cpuid.h>

/* Bits by the names of Intel's manual, volume 2, CPUID, and volume 1, section 13.3. */
enum { LEAF1_ECX_FMA = 1u << 12, LEAF1_ECX_OSXSAVE = 1u << 27, LEAF1_ECX_AVX = 1u << 28 };
enum {
    LEAF7_EBX_AVX2 = 1u << 5,
    LEAF7_EBX_AVX512F = 1u << 16,
    LEAF7_EBX_AVX512DQ = 1u << 17,
    LEAF7_EBX_AVX512BW = 1u << 30
};
static const unsigned LEAF7_EBX_AVX512VL = 1u << 31; /* does not fit an enum's int */
enum { XCR0_YMM = 0x06, XCR0_ZMM = 0xe6 }; /* XMM|YMM; and opmask|ZMM0-15 high|ZMM16-31 */

static int all(unsigned word, unsigned bits) { return (word & bits) == bits; }

static unsigned xcr0(void) {
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

unsigned fr_cpu_features(void) {
    unsigned eax, ebx, ecx, edx, found = 0;
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx)) return 0;
    if (!all(ecx, LEAF1_ECX_OSXSAVE | LEAF1_ECX_AVX | LEAF1_ECX_FMA)) return 0;
    unsigned saved = xcr0(); /* a legal instruction only with OSXSAVE */
    if (!all(saved, XCR0_YMM)) return 0;
    if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) return 0;
    if (!all(ebx, LEAF7_EBX_AVX2)) return 0;
    found |= FR_HAS_AVX2;
    if (all(ebx, LEAF7_EBX_AVX512F | LEAF7_EBX_AVX512BW | LEAF7_EBX_AVX512DQ | LEAF7_EBX_AVX512VL)
        && all(saved, XCR0_ZMM))
        found |= FR_HAS_AVX512;
    return found;
}

uint64_t fr_float_mode(void) {
    uint32_t mxcsr;
    __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
    return mxcsr;
}

void fr_set_float_mode(uint64_t mode) {
    uint32_t mxcsr = (uint32_t)mode;
    __asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
}

#elif defined(__aarch64__)

uint64_t fr_float_mode(void) {
    uint64_t fpcr;
    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
    return fpcr;
}

void fr_set_float_mode(uint64_t mode) { __asm__ volatile("msr fpcr, %0" : : "r"(mode)); }

unsigned fr_cpu_features(void) { return FR_HAS_NEON; } /* part of the base architecture */

#else

unsigned fr_cpu_features(void) { return 0; }

uint64_t fr_float_mode(void) { return 0; }

void fr_set_float_mode(uint64_t mode) { (void)mode; }

#endif
