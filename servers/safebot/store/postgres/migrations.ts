import type { Migration } from '../../../../shared/postgres/migrations.js'

/** The tables of the Safebot store. */
export const SAFEBOT_MIGRATIONS: readonly Migration[] = []
