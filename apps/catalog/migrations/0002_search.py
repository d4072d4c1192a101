"""The words that listings are found by, and those of the listings that are there already."""

import django.db.models.deletion
from django.db import migrations, models

from apps.catalog.services.search import words_of


def index_all(apps, schema_editor):
    Word = apps.get_model("catalog", "ListingWord")
    for listing in apps.get_model("catalog", "Listing").objects.iterator(chunk_size=200):
        Word.objects.bulk_create([Word(listing=listing, word=word) for word in words_of(listing)])


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='ListingWord',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('word', models.BinaryField(max_length=64)),
                ('listing', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='words', to='catalog.listing')),
            ],
            options={
                'indexes': [models.Index(fields=['word', 'listing'], name='listing_word')],
                'constraints': [models.UniqueConstraint(fields=('listing', 'word'), name='listing_word_once')],
            },
        ),
        migrations.RunPython(index_all, migrations.RunPython.noop, elidable=True),
    ]
