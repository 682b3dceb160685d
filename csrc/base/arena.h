/* Memory: one aligned block per call, cut into pieces by a bump pointer.
 *
 * A caller writes its layout once and runs it twice: with base NULL it only counts, then
 * with a block of that many bytes it places.
 *
 *     fr_arena room = {NULL, 0};
 *     lay_out(&room, ...);                     counts: room.used
 *     room = (fr_arena){fr_room(room.used), 0};
 *     if (!room.base) return FR_NO_MEMORY;
 *     lay_out(&room, ...);                     places
 */
#ifndef FR_ARENA_H
#define FR_ARENA_H

#include "base/config.h"

#define FR_HUGE_PAGE ((size_t)2 << 20)

/* 64-byte aligned, uninitialised; NULL when there is none.  Zero bytes give a block too,
 * so that NULL always means failure.  Any thread may free what another has allocated. */
FR_HIDDEN void *fr_alloc(size_t bytes);
/* The same of memory that goes back before the call ends: where little is asked for, a small call needs it in no time. */
FR_HIDDEN void *fr_room(size_t bytes);
FR_HIDDEN void fr_free(void *block);

typedef struct {
    char *base;
    size_t used; /* bytes; SIZE_MAX after an overflow: fr_alloc then refuses */
} fr_arena;

/* count elements of size bytes, 64-byte aligned; NULL while only counting. */
FR_INLINE void *fr_take(fr_arena *room, size_t count, size_t size) {
    const size_t left = SIZE_MAX - 4 * FR_HUGE_PAGE;
    if (room->used > left || (size && count > (left - room->used) / size)) {
        room->used = SIZE_MAX;
        return NULL;
    }
    void *piece = room->base ? room->base + room->used : NULL;
    room->used += (count * size + FR_LINE - 1) / FR_LINE * FR_LINE;
    return piece;
}

#endif
