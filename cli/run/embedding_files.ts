import { ByteWriter, type ColumnSource, ParquetWriter, type SchemaElement } from "hyparquet-writer";
import { startSafetensors } from "../../model/checkpoint/safetensors_writer.ts";
import { CliError, EXIT } from "../platform/errors.ts";
import { writeAtomically } from "../platform/files.ts";
import type { EmbeddedText, EmbeddingInfo, VectorSink } from "./embed.ts";
import { groupsOf } from "./records.ts";

/** Longest list of ids in a header: readers of the format refuse headers of more than 100 MB. */
const MAX_ID_BYTES = 2 ** 26;

/** What {@linkcode parquetSink} writes. */
interface ParquetOptions {
  readonly withText: boolean;
  /** Numbers of a row group, about: what memory holds at a time. @default {1_048_576} */
  readonly groupNumbers?: number;
}

const GROUP_NUMBERS = 2 ** 20;

type Bytes = Uint8Array<ArrayBuffer>;

/**
 * Writes vectors as a safetensors file: one tensor `embeddings`, `[count, dModel]` F32, with
 * model, layer, pooling and, where texts have them, ids (a JSON list) as metadata. The file has its
 * name once it is whole.
 *
 * @throws {CliError} With exit code 3 if the ids do not fit the header.
 */
export function safetensorsSink(path: string): VectorSink<void> {
  return (info, vectors) => writeAtomically(path, safetensorsBytes(info, vectors));
}

async function* safetensorsBytes(
  info: EmbeddingInfo,
  vectors: AsyncGenerator<EmbeddedText>,
): AsyncGenerator<Bytes> {
  const { count, dModel, ids } = info;
  const list = ids === undefined ? undefined : JSON.stringify(ids);
  if (list !== undefined && list.length > MAX_ID_BYTES) {
    throw new CliError(
      EXIT.data,
      `Cannot write ids into a safetensors file: they must take at most ${MAX_ID_BYTES} bytes, got ${list.length}; write .parquet instead`,
    );
  }
  const metadata = new Map(Object.entries({ format: "pt", ...metadataOf(info) }));
  if (list !== undefined) metadata.set("ids", list);
  const shape = { dtype: "F32", shape: [count, dModel] } as const;
  yield startSafetensors(new Map([["embeddings", shape]]), metadata).header;
  let written = 0;
  for await (const { vector } of vectors) {
    written += 1;
    yield littleEndian(vector);
  }
  if (written === count) return;
  throw new CliError(
    EXIT.data,
    `Cannot write embeddings: the input must stay as it is while it is read, got ${written} texts after ${count}`,
  );
}

function littleEndian(vector: Float32Array): Bytes {
  const bytes = new Uint8Array(vector.byteLength);
  const view = new DataView(bytes.buffer);
  vector.forEach((value, index) => view.setFloat32(4 * index, value, true));
  return bytes;
}

/**
 * Writes vectors as a Parquet file: columns `id` (as given, or else the number of the line), `text`
 * if asked for, and `embedding`, a list of floats; model, layer and pooling as metadata. The file
 * has its name once it is whole.
 */
export function parquetSink(path: string, options: ParquetOptions): VectorSink<void> {
  return (info, vectors) => writeAtomically(path, parquetBytes(info, vectors, options));
}

async function* parquetBytes(
  info: EmbeddingInfo,
  vectors: AsyncGenerator<EmbeddedText>,
  { withText, groupNumbers = GROUP_NUMBERS }: ParquetOptions,
): AsyncGenerator<Bytes> {
  const buffer = new ByteWriter();
  const writer = new ParquetWriter({
    writer: buffer,
    schema: schemaOf(withText),
    createdBy: "tenure",
    kvMetadata: Object.entries(metadataOf(info)).map(([key, value]) => ({ key, value })),
  });
  const take = (): Bytes => {
    const bytes = buffer.getBytes().slice();
    buffer.index = 0; // `offset` counts on
    return bytes;
  };
  const groupSize = Math.max(1, Math.floor(groupNumbers / info.dModel));
  for await (const group of groupsOf(vectors, groupSize)) {
    await writer.write({ columnData: columnsOf(group, withText), rowGroupSize: groupSize });
    yield take();
  }
  await writer.finish();
  yield take();
}

function schemaOf(withText: boolean): SchemaElement[] {
  const text = (name: string): SchemaElement => ({
    name,
    type: "BYTE_ARRAY",
    converted_type: "UTF8",
    repetition_type: "REQUIRED",
  });
  const columns = [text("id"), ...(withText ? [text("text")] : [])];
  return [
    { name: "root", num_children: columns.length + 1 },
    ...columns,
    { name: "embedding", repetition_type: "REQUIRED", converted_type: "LIST", num_children: 1 },
    { name: "list", repetition_type: "REPEATED", num_children: 1 },
    { name: "element", type: "FLOAT", repetition_type: "REQUIRED" },
  ];
}

function columnsOf(group: readonly EmbeddedText[], withText: boolean): ColumnSource[] {
  return [
    { name: "id", data: group.map(({ id, line }) => String(id ?? line)) },
    ...(withText ? [{ name: "text", data: group.map(({ text }) => text) }] : []),
    {
      name: "embedding",
      data: group.map(({ vector }) => Array.from(vector)),
      encoding: "PLAIN", // a dictionary of floats would be larger than they are
      codec: "UNCOMPRESSED",
      statistics: false,
    },
  ];
}

function metadataOf({ model, layer, pooling }: EmbeddingInfo): Record<string, string> {
  return { model, layer: String(layer), pooling };
}
