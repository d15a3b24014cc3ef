import { type PeerName, peerNames } from './peers.ts'

/** The peers in an order that differs from round to round, so that none always runs after the same other. */
export function rotated(round: number): PeerName[] {
  return peerNames.map((_, place) => peerNames[(place + round) % peerNames.length] as PeerName)
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] as number
}
