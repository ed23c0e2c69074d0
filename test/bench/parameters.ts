/** What scenarios and reports have in common. */

/** How many writes a writing node has under way, the `c` of the tables. */
export const concurrencies: readonly number[] = [1, 16, 64, 256]

/** Of the clusters in which nodes die. */
export const failureTimeoutMs = 1000
