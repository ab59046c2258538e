import type { Migration } from '../../../../shared/postgres/migrations.js'

/** The tables of the Instanode store. */
export const INSTANODE_MIGRATIONS: readonly Migration[] = []
