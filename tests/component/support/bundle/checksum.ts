// SPDX-License-Identifier: Apache-2.0

interface Rounds {
  count: number;
}

// What the time of a request goes into.
export function checksumOf(text: string, rounds: Rounds): number {
  let sum: number = 0;
  for (let round = 0; round < rounds.count; round++) {
    for (let i = 0; i < text.length; i++) {
      sum = (sum * 31 + text.charCodeAt(i)) | 0;
    }
  }
  return sum;
}

// Costs next to nothing; that there are two keeps the engine from merging one into its caller.
export function lengthOf(text: string, rounds: Rounds): number {
  return text.length * rounds.count;
}
