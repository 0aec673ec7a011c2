package main

import (
	"context"
	"slices"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// TestTokens compares with the type tokens in @pulumi/random.
func TestTokens(t *testing.T) {
	var got []string
	for _, r := range provider().Resources {
		got = append(got, string(r.Tok))
	}
	slices.Sort(got)
	want := []string{
		"random:index/randomBytes:RandomBytes", "random:index/randomId:RandomId",
		"random:index/randomInteger:RandomInteger", "random:index/randomPassword:RandomPassword",
		"random:index/randomPet:RandomPet", "random:index/randomShuffle:RandomShuffle",
		"random:index/randomString:RandomString", "random:index/randomUuid4:RandomUuid4",
		"random:index/randomUuid7:RandomUuid7", "random:index/randomUuid:RandomUuid",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestBytesID(t *testing.T) {
	id, err := bytesID(context.Background(), resource.PropertyMap{
		"base64": resource.MakeSecret(resource.NewStringProperty("aGk=")),
	})
	if id != "aGk=" || err != nil {
		t.Errorf("got %q, %v", id, err)
	}
	if _, err := bytesID(context.Background(), resource.PropertyMap{}); err == nil {
		t.Error("expected an error without base64")
	}
}
