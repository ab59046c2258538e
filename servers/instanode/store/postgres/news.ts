/** Under what the replicas tell each other of Instanode. */
export const TOPIC = 'instanode'

/** What a replica tells the others. */
export type News =
  /** Another state has been put in place of all that there was. */
  | { readonly kind: 'reset'; readonly epoch: number }
  /** The reaper has something to do at that instant, milliseconds since the epoch. */
  | { readonly kind: 'due'; readonly instant: number }
  /** A receiver has taken something. */
  | { readonly kind: 'delivery'; readonly token: string; readonly id: string }

/** As it travels. */
export function written(news: News): string {
  if (news.kind === 'due') return `due ${news.instant}`
  return news.kind === 'delivery' ? `delivery ${news.token} ${news.id}` : `reset ${news.epoch}`
}

/** What it was; undefined for what this version does not know. */
export function readNews(payload: string): News | undefined {
  const [kind, first = '', second = ''] = payload.split(' ')
  if (kind === 'reset' && /^\d+$/.test(first)) return { kind, epoch: Number(first) }
  if (kind === 'due' && /^\d+$/.test(first)) return { kind, instant: Number(first) }
  return kind === 'delivery' ? { kind, token: first, id: second } : undefined
}
