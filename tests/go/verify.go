// Checks a mirrored log with the packages of Go's own checksum database, which know nothing of guest-vault:
//
//	verify DIR VKEY OLDER
//
// DIR is laid out as C2SP tlog-tiles says, VKEY is the verifier key, OLDER a file with an earlier checkpoint.
//
//	verify receipt RECEIPT ENTRY VKEY
//
// checks a C2SP tlog-proof offline: RECEIPT is the file, ENTRY the entry's bytes.
//
// Every bundle is held against the tree, the tree against the signed checkpoint, and that against the older one.
package main

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

type folder string

func (f folder) path(tile tlog.Tile) string {
	return filepath.Join(string(f), strings.Replace(tile.Path(), "tile/8/", "tile/", 1))
}

func (f folder) Height() int { return height }

func (f folder) SaveTiles([]tlog.Tile, [][]byte) {}

func (f folder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		data, err := os.ReadFile(f.path(tile))
		if err != nil {
			return nil, err
		}
		if len(data) != tile.W*tlog.HashSize {
			return nil, fmt.Errorf("%s has %d bytes", tile.Path(), len(data))
		}
		all = append(all, data)
	}
	return all, nil
}

// strict refuses spellings of a signature that mean the same bytes.
func strict(text []byte) error {
	for _, line := range strings.Split(string(text), "\n") {
		if words := strings.Split(line, " "); strings.HasPrefix(line, "— ") {
			if _, err := base64.StdEncoding.Strict().DecodeString(words[len(words)-1]); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkpoint(path, vkey string) (tlog.Tree, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return tlog.Tree{}, err
	}
	return opened(text, vkey)
}

func opened(text []byte, vkey string) (tlog.Tree, error) {
	if err := strict(text); err != nil {
		return tlog.Tree{}, err
	}
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return tlog.Tree{}, err
	}
	signed, err := note.Open(text, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(signed.Text, "\n")
	if len(lines) < 4 || lines[0] != verifier.Name() {
		return tlog.Tree{}, errors.New("not a checkpoint of this log")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	hash, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: hash}, err
}

func bundle(data []byte, hashes []tlog.Hash) error {
	for at, hash := range hashes {
		if len(data) < 2 || len(data) < 2+int(binary.BigEndian.Uint16(data)) {
			return fmt.Errorf("bundle ends before entry %d", at)
		}
		end := 2 + int(binary.BigEndian.Uint16(data))
		if tlog.RecordHash(data[2:end]) != hash {
			return fmt.Errorf("entry %d is not the one of the tree", at)
		}
		data = data[end:]
	}
	if len(data) != 0 {
		return errors.New("bundle has more than its entries")
	}
	return nil
}

func verify(dir, vkey, older string) error {
	tree, err := checkpoint(filepath.Join(dir, "checkpoint"), vkey)
	if err != nil {
		return err
	}
	old, err := checkpoint(older, vkey)
	if err != nil {
		return err
	}
	reader := tlog.TileHashReader(tree, folder(dir))
	proof, err := tlog.ProveTree(tree.N, old.N, reader)
	if err != nil {
		return err
	}
	if err := tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash); err != nil {
		return err
	}
	// Entries before this one may be pruned; their hashes are still there.
	minimum := int64(0)
	if text, err := os.ReadFile(filepath.Join(dir, "minimum")); err == nil {
		if minimum, err = strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err != nil {
			return err
		}
	}
	// ReadHashes holds a tile against the tiles above it, but what it is asked for may be a tile that no other holds: the
	// root is made again from the leaves.
	var stored []tlog.Hash
	own := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var found []tlog.Hash
		for _, at := range indexes {
			found = append(found, stored[at])
		}
		return found, nil
	})
	for first := int64(0); first < tree.N; first += 1 << height {
		tile := tlog.Tile{H: height, L: 0, N: first >> height, W: 1 << height}
		if rest := tree.N - first; rest < 1<<height {
			tile.W = int(rest)
		}
		var indexes []int64
		for at := int64(0); at < int64(tile.W); at++ {
			indexes = append(indexes, tlog.StoredHashIndex(0, first+at))
		}
		hashes, err := reader.ReadHashes(indexes)
		if err != nil {
			return err
		}
		for at, hash := range hashes {
			more, err := tlog.StoredHashesForRecordHash(first+int64(at), hash, own)
			if err != nil {
				return err
			}
			stored = append(stored, more...)
		}
		if first < minimum {
			continue
		}
		path := strings.Replace(folder(dir).path(tile), "tile/0/", "tile/entries/", 1)
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := bundle(data, hashes); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	root, err := tlog.TreeHash(tree.N, own)
	if err != nil {
		return err
	}
	if root != tree.Hash {
		return errors.New("the leaves do not make the signed root")
	}
	fmt.Println("OK", tree.N)
	return nil
}

// receipt checks a c2sp.org/tlog-proof@v1 file.
func receipt(path, entry, vkey string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	head, signed, found := strings.Cut(string(text), "\n\n")
	lines := strings.Split(head, "\n")
	if !found || len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return errors.New("not a tlog-proof")
	}
	lines = lines[1:]
	if strings.HasPrefix(lines[0], "extra ") {
		lines = lines[1:]
	}
	if len(lines) == 0 || !strings.HasPrefix(lines[0], "index ") {
		return errors.New("no index")
	}
	number := strings.TrimPrefix(lines[0], "index ")
	index, err := strconv.ParseInt(number, 10, 64)
	if err != nil || strconv.FormatInt(index, 10) != number {
		return errors.New("not an index")
	}
	var proof tlog.RecordProof
	for _, line := range lines[1:] {
		hash, err := base64.StdEncoding.Strict().DecodeString(line)
		if err != nil || len(hash) != tlog.HashSize {
			return errors.New("not a hash")
		}
		proof = append(proof, tlog.Hash(*(*[tlog.HashSize]byte)(hash)))
	}
	tree, err := opened([]byte(signed), vkey)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(entry)
	if err != nil {
		return err
	}
	if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(data)); err != nil {
		return err
	}
	fmt.Println("OK", index)
	return nil
}

func main() {
	if os.Args[1] == "receipt" {
		if err := receipt(os.Args[2], os.Args[3], os.Args[4]); err != nil {
			fmt.Println("REFUSED", err)
			os.Exit(1)
		}
		return
	}
	if err := verify(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Println("REFUSED", err)
		os.Exit(1)
	}
}
