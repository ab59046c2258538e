import * as z from 'zod'

/** What is kept of a database beside its files. No password: what is here does not let anyone in. */
export const databaseRecord = z.strictObject({
  name: z.string(),
  user: z.string(),
  verifier: z.strictObject({
    salt: z.string(),
    iterations: z.number(),
    storedKey: z.string(),
    serverKey: z.string(),
  }),
  storageBytes: z.number(),
  connections: z.number(),
  /** Under the data directory. */
  directory: z.string(),
  /** Bytes of its files when it was made. */
  emptySize: z.number(),
})

export type DatabaseRecord = z.infer<typeof databaseRecord>
