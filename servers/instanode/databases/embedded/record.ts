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
  storageBytes: z.number().nullable(),
  connections: z.number(),
  /** Its owner is locked out for good. */
  blocked: z.boolean().default(false),
  /** Under the data directory. */
  directory: z.string(),
  /** Bytes of its files when it was made. */
  emptySize: z.number(),
})

export type DatabaseRecord = z.infer<typeof databaseRecord>
